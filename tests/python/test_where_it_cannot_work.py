"""Where frozen arena cannot work, the block runs as ordinary code, and says so once."""

from __future__ import annotations

import pytest
from forking import run_python

# The package without its extension module, as in the pure-Python wheel of other systems.
WITHOUT_CORE = """
import gc, json, os, sys, warnings
sys.modules["frozen_arena._core"] = None
"""

SUBINTERPRETER = """
import os, sys, textwrap
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
def run_there(source, **config):
    made = interpreters.create(*config.values())
    outcome = interpreters.run_string(made, textwrap.dedent(source))
    assert outcome is None, outcome
    interpreters.destroy(made)
"""


# How to make this interpreter look like one that cannot have arenas, and what it is then told.
DISGUISES = {
    "PyPy": ("sys.implementation.name = 'pypy'", "need CPython, and this is pypy"),
    "macOS": ("sys.platform = 'darwin'", "need Linux, and this is darwin"),
    "Windows": ("sys.platform = 'win32'; del os.register_at_fork", "and this is win32"),
    "32 bit": ("sys.maxsize = 2**31 - 1", "need a 64-bit interpreter"),
    "free-threaded": ("sysconfig.get_config_vars()['Py_GIL_DISABLED'] = 1", "with a GIL"),
    "not built": ("sys.modules['frozen_arena._core'] = None", "install the package again"),
    "of another build": (
        "importlib.machinery.ExtensionFileLoader.create_module = refuse",
        "undefined symbol: PyWhatever",
    ),
}


@pytest.mark.parametrize("name", DISGUISES)
def test_interpreter_that_cannot_have_arenas_says_why_and_runs_the_block(name: str) -> None:
    disguise, reason = DISGUISES[name]
    run_python(
        f"""
        import importlib.machinery, os, sys, sysconfig, warnings
        import ctypes, dataclasses, inspect, threading  # as they are on this system
        def refuse(loader, spec):
            raise ImportError("undefined symbol: PyWhatever")
        {disguise}
        import frozen_arena as fa
        status = fa.status()
        assert not status.available and {reason!r} in status.reason, status
        assert sys.modules.get("frozen_arena._core") is None
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            for _ in range(2):
                with fa.frozen_arena("plain") as arena:
                    data = [str(number) * 2 for number in range(1000)]
        (warning,) = seen
        assert warning.category is fa.FrozenArenaWarning and warning.filename == "<string>"
        assert status.reason in str(warning.message), warning.message
        assert (arena.state, arena.report, arena.nbytes) == ("abandoned", None, 0)
        assert data[77] == "7777" and data not in arena and fa.arenas() == []
        try:
            with fa.frozen_arena(on_unsupported="raise"):
                raise AssertionError("the block was entered")
        except fa.Unsupported as error:
            assert status.reason in str(error), error
        """,
        prelude="",
    )


def test_block_without_the_extension_runs_as_ordinary_code_and_warns_once() -> None:
    run_python(
        """
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            import frozen_arena as fa
            from frozen_arena import frozen_arena
            with frozen_arena("one") as arena:
                data = [str(number) * 2 for number in range(1000)]
            with frozen_arena("two"):
                more = [str(number) * 2 for number in range(1000)]
        mine = [entry for entry in seen if issubclass(entry.category, fa.FrozenArenaWarning)]
        assert len(mine) == 1, [str(entry.message) for entry in seen]
        assert len(str(mine[0].message)) > 20, mine[0].message
        assert "<string>" in mine[0].filename, mine[0].filename
        assert data[77] == "7777" and data[77] not in arena
        assert not fa.status().available
        """,
        prelude=WITHOUT_CORE,
    )


def test_on_unsupported_raise_raises_and_ignore_is_silent() -> None:
    run_python(
        """
        warnings.simplefilter("error")
        import frozen_arena as fa
        from frozen_arena import frozen_arena
        with frozen_arena(on_unsupported="ignore") as arena:
            data = [str(number) * 2 for number in range(1000)]
        try:
            with frozen_arena(on_unsupported="raise"):
                raise AssertionError("the block was entered")
        except fa.Unsupported as error:
            assert len(str(error)) > 20
        else:
            raise AssertionError("nothing was raised")
        @frozen_arena(on_unsupported="ignore")
        def load(): return 5
        assert load() == 5
        try:
            with frozen_arena(on_unsupported="ignore"):
                raise LookupError
        except LookupError:
            pass
        """,
        prelude=WITHOUT_CORE,
    )


def test_keywords_are_checked_where_it_cannot_work_too() -> None:
    run_python(
        """
        from frozen_arena import frozen_arena
        for keywords, kind in (({"threads": "some"}, ValueError), ({"limit": "1"}, TypeError)):
            try:
                frozen_arena(**keywords)
            except kind:
                pass
            else:
                raise AssertionError(keywords)
        """,
        prelude=WITHOUT_CORE,
    )


def test_functions_over_all_arenas_answer_where_there_are_none() -> None:
    run_python(
        """
        import frozen_arena as fa
        assert list(fa.arenas()) == []
        sharing = fa.sharing()
        assert (sharing.private_os_pages, sharing.shared_os_pages) == (0, 0)
        """,
        prelude=WITHOUT_CORE,
    )


def test_subinterpreter_imports_the_package_and_runs_the_block_as_ordinary_code() -> None:
    run_python(
        """
        run_there('''
            import warnings
            warnings.simplefilter("ignore")
            import frozen_arena as fa
            with fa.frozen_arena() as arena:
                data = [str(number) * 2 for number in range(1000)]
            assert data[77] == "7777" and data[77] not in arena
            try:
                with fa.frozen_arena(on_unsupported="raise"):
                    pass
            except fa.Unsupported as error:
                assert "interpreter" in str(error), error
            else:
                raise AssertionError("supported in a subinterpreter?")
        ''')
        """,
        prelude=SUBINTERPRETER,
    )


@pytest.mark.parametrize("keywords", ["", "threads='all'"])
def test_what_a_subinterpreter_builds_inside_a_block_lies_outside(keywords: str) -> None:
    run_python(
        f"""
        import frozen_arena as fa
        made = interpreters.create()
        with fa.frozen_arena({keywords}) as arena:
            data = [str(number) * 2 for number in range(100)]
            outcome = interpreters.run_string(made, textwrap.dedent('''
                import gc
                built = [[number, str(number) * 3] for number in range(50_000)]
            '''))
        assert outcome is None, outcome
        assert arena.state == "sealed" and data[5] in arena
        assert arena.nbytes < 1 << 20, arena.report
        outcome = interpreters.run_string(made, "assert all(map(gc.is_tracked, built))")
        assert outcome is None, outcome
        interpreters.destroy(made)
        """,
        prelude=SUBINTERPRETER,
    )


def test_subinterpreter_of_a_process_with_arenas_harms_nothing() -> None:
    run_python(
        """
        import frozen_arena as fa
        with fa.frozen_arena("before") as before:
            data = [str(number) * 2 for number in range(1000)]
        run_there('''
            import json
            own = [str(number) * 3 for number in range(1000)]
            assert json.loads(json.dumps(own)) == own
        ''')
        with fa.frozen_arena("after") as after:
            more = [str(number) * 2 for number in range(1000)]
        assert (before.state, after.state) == ("sealed", "sealed") and more[77] in after
        """,
        prelude=SUBINTERPRETER,
    )

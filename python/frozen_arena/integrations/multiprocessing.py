"""multiprocessing and concurrent.futures with a forkserver: modules that it is to load and freeze.

    from frozen_arena.integrations.multiprocessing import preload
    preload("catalog")          # instead of multiprocessing.set_forkserver_preload

With the fork method nothing is needed but ``PYTHONFROZENARENA`` or a block.
"""

from __future__ import annotations

import importlib.util
import sys

from frozen_arena.integrations.host import collect

__all__ = ["preload"]

_HOST = "multiprocessing"


def preload(*modules: str) -> None:
    """The forkserver will import these modules, and freeze at its first fork what they have built.

    Call it before the first process is started: a forkserver that runs stays as it is. All
    processes of the forkserver method share it, `concurrent.futures` included.

    Args:
        modules: names that can be imported. Data under ``if __name__ == "__main__"`` does not
            exist in a forkserver.

    Raises:
        ModuleNotFoundError: one of them does not exist, which multiprocessing would ignore.
    """
    import multiprocessing

    for name in modules:
        if name != "__main__" and importlib.util.find_spec(name) is None:
            raise ModuleNotFoundError(f"the forkserver has no module {name!r} to load", name=name)
    multiprocessing.set_forkserver_preload([__name__, *modules])


def _is_forkserver() -> bool:
    return any("multiprocessing.forkserver import main" in word for word in sys.orig_argv)


if _is_forkserver():
    collect(_HOST, until_ready=False)

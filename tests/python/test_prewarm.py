"""prewarm(): what is called in the parent, right before activation freezes."""

from __future__ import annotations

from forking import run_python


def test_what_it_is_given_is_called_before_the_freeze_and_what_it_builds_is_shared() -> None:
    run_python(
        """
fa.activate(min_new=1)
cache = {}
calls = []
def request():
    calls.append(os.getpid())
    cache[len(calls)] = ["answer", len(calls)]
fa.prewarm(request, times=3)
assert calls == []
states = lambda: [arena.state for arena in fa.arenas()]
assert fork_and_report(lambda: (states(), calls)) == [["sealed"], [os.getpid()] * 3]
(arena,) = fa.arenas()
assert all(answer in arena for answer in cache.values())
fork_and_report(lambda: 1)
assert len(calls) == 3
"""
    )


def test_one_that_forks_does_not_freeze_in_the_middle() -> None:
    run_python(
        """
fa.activate(min_new=1)
seen = []
fa.prewarm(lambda: seen.append(fork_and_report(lambda: fa.arenas()[0].state)), times=2)
data = [str(n) for n in range(1000)]
assert fork_and_report(lambda: fa.arenas()[0].state) == "sealed"
assert seen == ["abandoned"] * 2, seen
assert data in fa.arenas()[0]
"""
    )


def test_what_it_raises_costs_a_warning_and_the_freeze_goes_on() -> None:
    run_python(
        """
import warnings
fa.activate(min_new=1)
fa.prewarm(lambda: 1 / 0)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    arena = fa.freeze()
assert arena.state == "sealed"
(warning,) = caught
assert warning.category is fa.FrozenArenaWarning
assert "ZeroDivisionError: division by zero" in str(warning.message)
"""
    )


def test_wrong_arguments_are_refused() -> None:
    run_python(
        """
for arguments, error, words in [
    ((3,), TypeError, "takes a function, not int"),
    ((print, "3"), TypeError, "times takes an int, not str"),
    ((print, 0), ValueError, "times is at least 1; 0 is not"),
]:
    try:
        fa.prewarm(*arguments)
    except error as raised:
        assert words in str(raised), raised
    else:
        raise AssertionError(arguments)
"""
    )

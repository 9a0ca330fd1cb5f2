"""Brings a benchmark of pyperformance into one of three states: its folder goes on PYTHONPATH.

`BENCH_STATE` is ``stock``, ``hooks`` (a block has been there, its hooks stay) or ``frozen`` (all
that is built until the first benchmark of the program starts lies in an arena, frozen and sealed).
"""

import os

STATE = os.environ.get("BENCH_STATE", "")


def _freeze_before_benchmarks() -> None:
    """Collects from now on, and freezes when pyperf is first asked to run something."""
    import frozen_arena
    import pyperf

    frozen_arena.activate(min_new=0)
    frozen = False

    def after_freezing(run):
        def frozen_run(*arguments, **keywords):
            nonlocal frozen
            if not frozen:
                frozen = True
                frozen_arena.freeze()
            return run(*arguments, **keywords)

        return frozen_run

    for name in ("bench_func", "bench_async_func", "bench_time_func", "timeit"):
        setattr(pyperf.Runner, name, after_freezing(getattr(pyperf.Runner, name)))


if STATE == "hooks":
    from frozen_arena import frozen_arena

    with frozen_arena("hooks"):
        pass
elif STATE == "frozen":
    _freeze_before_benchmarks()
elif STATE:
    import pyperf  # noqa: F401 - the others have it too

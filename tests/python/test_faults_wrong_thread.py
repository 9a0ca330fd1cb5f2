"""Blocks that another thread leaves than the one that entered them."""

from __future__ import annotations

from forking import run_python


def test_block_left_by_the_wrong_thread_is_an_arena_state_error() -> None:
    run_python(
        """
        block = frozen_arena()
        arena = block.__enter__()
        data = [str(number) * 2 for number in range(5000)]
        def leave():
            try:
                block.__exit__(None, None, None)
            except fa.ArenaStateError as error:
                return str(error)
        message = in_thread(leave)
        assert message and "thread" in message, message
        assert (arena.state, arena.report) == ("abandoned", None)
        assert data[4321] == "43214321" and sys.getrefcount(data[5]) < 10
        assert "".join(["la", "ter"]) not in arena
        with frozen_arena() as again:
            more = [str(number) * 2 for number in range(100)]
        assert again.state == "sealed" and more[3] in again
        """
    )


# Runs `ask` in a second thread when it is called, for as long as the second thread lives.
TWO_THREADS = """
class Second:
    def __init__(self):
        self.asked, self.answered = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self.run, daemon=True).start()
    def run(self):
        while True:
            self.asked.acquire()
            self.answer = self.ask()
            self.answered.release()
    def __call__(self, ask):
        self.ask = ask
        self.asked.release()
        self.answered.acquire()
        return self.answer
def error_of(fn):
    try:
        fn()
    except fa.ArenaStateError as error:
        return str(error)
    return None
second = Second()
"""


def test_thread_whose_block_another_has_left_is_told_so_when_it_leaves_it() -> None:
    run_python(
        TWO_THREADS
        + """
def body():
    with frozen_arena("mine") as arena:
        wrong = second(lambda: error_of(lambda: block.__exit__(None, None, None)))
        assert "another thread than the one that entered" in wrong, wrong
        assert arena.state == "abandoned"
        assert "".join(["la", "ter"]) not in arena
for raised in (None, LookupError("data")):
    block = frozen_arena("mine")
    try:
        with block as arena:
            second(lambda: error_of(lambda: block.__exit__(None, None, None)))
            if raised is not None:
                raise raised
    except fa.ArenaStateError as error:
        assert raised is None and "another thread has left this block" in str(error), error
    except LookupError as error:
        assert error is raised  # an exception passes through unchanged
    else:
        raise AssertionError("the thread was not told")
    assert "not open" in error_of(lambda: block.__exit__(None, None, None))
assert gc.isenabled() and fa.status().checks[-1].ok
"""
    )


def test_thread_whose_inner_block_another_has_left_goes_on_with_the_outer_one() -> None:
    run_python(
        TWO_THREADS
        + """
with frozen_arena("outer") as outer:
    inner = frozen_arena("inner")
    abandoned = inner.__enter__()
    assert second(lambda: error_of(lambda: inner.__exit__(None, None, None)))
    assert error_of(lambda: inner.__exit__(None, None, None))
    data = [str(number) * 2 for number in range(1000)]
assert (outer.state, abandoned.state) == ("sealed", "abandoned")
assert data in outer and data[77] in outer
"""
    )


def test_thread_whose_block_another_has_left_is_routed_like_all_others_from_its_next_block_on() -> (
    None
):
    run_python(
        TWO_THREADS
        + """
block = frozen_arena("stale")
stale = block.__enter__()
assert second(lambda: error_of(lambda: block.__exit__(None, None, None)))
with frozen_arena("next") as arena:
    data = [str(number) * 2 for number in range(1000)]
assert arena.state == "sealed" and data[77] in arena
everything = frozen_arena("all", threads="all")
arena = second(everything.__enter__)
more = [str(number) * 3 for number in range(1000)]
assert second(lambda: error_of(lambda: everything.__exit__(None, None, None))) is None
assert arena.state == "sealed" and more[77] in arena
"""
    )


def test_arena_outlives_the_thread_that_was_routed_to_it_when_nobody_leaves_its_block() -> None:
    run_python(
        """
        class EndsLast(threading.local):
            def __init__(self): self.made = []
            def __del__(self): [str(number) * 2 for number in range(1000)]
        def enter():
            last = EndsLast()
            last.made.append(frozen_arena("left open").__enter__())
        for _ in range(20):
            in_thread(enter)
            gc.collect()
        assert [arena.state for arena in fa.arenas()] == ["building"] * 20
        """
    )

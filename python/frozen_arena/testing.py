"""A pytest plugin: tests that fail when they write to sealed memory.

Switch it on in the `conftest.py` at the root of your tests::

    pytest_plugins = ["frozen_arena.testing"]

and ask for a fixture::

    def test_answers(no_sealed_writes):
        assert handler(request) == "42"

pytest is not a requirement of this package: nothing but this module imports it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from frozen_arena.arena import trace_writes
from frozen_arena.write_tracing import TracedWrites

__all__ = ["no_sealed_writes", "sealed_writes"]


@pytest.fixture
def sealed_writes() -> Iterator[TracedWrites]:
    """The writes of the test to sealed memory, as `frozen_arena.trace_writes` records them.

    From the fixture on: fixtures that come after it are traced too.
    """
    with trace_writes() as writes:
        yield writes


@pytest.fixture
def no_sealed_writes(sealed_writes: TracedWrites) -> Iterator[TracedWrites]:
    """Fails the test at its end if it has written to sealed memory; the failure names the lines."""
    yield sealed_writes
    sealed_writes.stop()  # from here on objects and fields are known
    if sealed_writes:
        pytest.fail(
            f"{len(sealed_writes)} OS pages of sealed memory were written to:\n{sealed_writes}",
            pytrace=False,
        )

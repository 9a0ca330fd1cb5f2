"""Fixtures of the Python tests. What touches global state runs in a fresh process."""

from __future__ import annotations

from collections.abc import Callable

import forking
import pytest


@pytest.fixture
def run_python() -> Callable[..., forking.Finished]:
    """Runs a snippet in a fresh process; see ``forking.run_python``."""
    return forking.run_python


@pytest.fixture
def fork_and_report() -> Callable[..., object]:
    """Runs a function in a forked child; see ``forking.fork_and_report``."""
    return forking.fork_and_report

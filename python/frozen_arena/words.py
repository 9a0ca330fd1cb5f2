"""Sizes, times and counts in words, the same in every table of the command line."""

from __future__ import annotations

__all__ = ["age", "memory", "number", "seconds", "short_memory", "workers"]


def memory(nbytes: float) -> str:
    """Bytes in words: "412 MB", "1,520 MB", from 10 GB on "12.4 GB"."""
    if nbytes >= 10e9:
        return f"{nbytes / 1e9:.1f} GB"
    if nbytes >= 10e6:
        return f"{nbytes / 1e6:,.0f} MB"
    return f"{nbytes / 1e6:,.1f} MB"


def short_memory(nbytes: float) -> str:
    """Bytes in five letters at most, powers of 1000: "0", "512", "4.1k", "412M", "12.4G"."""
    if nbytes < 1000:
        return f"{nbytes:.0f}"
    size = float(nbytes)
    for unit in "kMGT":
        size /= 1000
        if size < 9.95:
            return f"{size:.1f}{unit}"
        if size < 999.5 or unit == "T":
            return f"{size:.0f}{unit}"
    raise AssertionError("unreachable")


def seconds(duration: float) -> str:
    """Seconds in words: "12.0 ms", "7.74 s"."""
    return f"{duration:.2f} s" if duration >= 1 else f"{duration * 1e3:.1f} ms"


def age(duration: float) -> str:
    """How long something has lived, in four letters or so: "12 s", "3 min", "5.2 h", "12 d"."""
    if duration < 100:
        return f"{max(duration, 0):.0f} s"
    if duration < 100 * 60:
        return f"{duration / 60:.0f} min"
    if duration < 48 * 3600:
        return f"{duration / 3600:.1f} h"
    return f"{duration / 86400:.0f} d"


def number(count: float) -> str:
    """A count in five letters or so: "0", "812", "9,120", "12k", "3.4M"."""
    return f"{count:,.0f}" if count < 9_999.5 else short_memory(count)


def workers(count: int) -> str:
    """How many workers: "1 worker", "4 workers"."""
    return "1 worker" if count == 1 else f"{count} workers"

"""Ledgers: parts that add up to a whole, printed the same way by every report.

`FreezeReport`, `Sharing` and `Status` are made of them. A ledger whose parts do not add up, or of
which a part is negative, is a bug in the count; `broken` finds it, and the tests ask it of every
report that they get.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Ledger", "as_html", "as_text", "broken", "mib"]


def mib(size: int) -> str:
    """Bytes as MiB with one decimal, for people."""
    return f"{size / 2**20:,.1f} MiB"


@dataclass(frozen=True, slots=True)
class Ledger:
    """One equation.

    Attributes:
        name: what is divided.
        parts: names and sizes, in the order of reading.
        whole: name and size of their sum, counted apart from them.
        unit: ``"bytes"`` or ``""`` for counts.
    """

    name: str
    parts: tuple[tuple[str, int], ...]
    whole: tuple[str, int]
    unit: str = ""

    @property
    def balance(self) -> int:
        """The whole less its parts: 0."""
        return self.whole[1] - sum(size for _, size in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, ready for JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "parts": dict(self.parts),
            "whole": {self.whole[0]: self.whole[1]},
        }

    def __str__(self) -> str:
        parts = " + ".join(f"{size:,} {name}" for name, size in self.parts)
        text = f"{parts} = {self.whole[1]:,} {self.whole[0]}"
        return f"{text} ({mib(self.whole[1])})" if self.unit == "bytes" else text


class _HasLedgers(Protocol):
    @property
    def ledgers(self) -> tuple[Ledger, ...]: ...


def broken(report: _HasLedgers) -> str | None:
    """The first ledger of a report that does not add up, as a sentence; None when all do."""
    for ledger in report.ledgers:
        if ledger.balance != 0:
            return f"{ledger.name}: {ledger} is wrong by {ledger.balance:,}"
        for name, size in (*ledger.parts, ledger.whole):
            if size < 0:
                return f"{ledger.name}: {size:,} {name} is less than nothing"
    return None


def as_text(ledgers: Sequence[Ledger]) -> list[str]:
    """A line for each, names in a column of their own."""
    width = max((len(ledger.name) for ledger in ledgers), default=0)
    return [f"{ledger.name:<{width}}  {ledger}" for ledger in ledgers]


def as_html(title: str, ledgers: Sequence[Ledger], notes: Sequence[str] = ()) -> str:
    """A table for notebooks: a row for each part and each whole, then the notes."""
    from html import escape

    rows = []
    for ledger in ledgers:
        lines = [*((name, size, False) for name, size in ledger.parts), (*ledger.whole, True)]
        for number, (name, size, is_whole) in enumerate(lines):
            first = escape(ledger.name) if number == 0 else ""
            shown = mib(size) if ledger.unit == "bytes" else ""
            cells = [f"<td>{first}</td>", f"<td>{'= ' if is_whole else ''}{escape(name)}</td>"]
            cells += [f"<td style='text-align:right'>{size:,}</td>"]
            cells += [f"<td style='text-align:right'>{shown}</td>"]
            style = " style='font-weight:bold'" if is_whole else ""
            rows.append(f"<tr{style}>{''.join(cells)}</tr>")
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    listed = f"<ul>{items}</ul>" if items else ""
    head = "<tr><th>ledger</th><th>part</th><th>count or bytes</th><th></th></tr>"
    return (
        f"<div><b>{escape(title)}</b><table><thead>{head}</thead>"
        f"<tbody>{''.join(rows)}</tbody></table>{listed}</div>"
    )

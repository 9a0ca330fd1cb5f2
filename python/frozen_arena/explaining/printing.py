"""An explanation for people: a ledger that adds up, and one paragraph for each cause."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frozen_arena.explaining.explanation import Change, Explanation

__all__ = ["as_text", "sentence_of"]


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def sentence_of(change: Change) -> str:
    """``reference count of 3 objects of type _thread.lock (mortal)``."""
    if not change.type:
        return f"{_many(change.words, 'word')} of the {change.lane} lane, in no known object"
    mortal = "" if change.immortal else " (mortal)"
    of = f"{_many(change.objects, 'object')} of type {change.type}{mortal}"
    return f"{change.field} of {of}" if change.kind != "unknown" else f"unknown field of {of}"


def as_text(explanation: Explanation) -> str:
    """The explanation as text: the ledger first, then the changes."""
    one = explanation
    if not one.arenas:
        return "no sealed arena, so nothing to explain"
    lines = [
        f"{one.changed_os_pages:,} differ + {one.same_os_pages:,} say the same again + "
        f"{one.not_compared_os_pages:,} not compared = "
        f"{_many(one.private_os_pages, 'private OS page')}",
        f"{one.named_words:,} named + {one.unknown_words:,} unknown = "
        f"{_many(one.words, 'word')} that differ{'s' if one.words == 1 else ''}",
    ]
    shown = one.changes if one.limit is None else one.changes[: one.limit]
    for change in shown:
        pages = change.os_pages_counted
        where = _many(pages, "OS page") if pages else "on the same OS pages"
        lines.append(f"{where}: {sentence_of(change)}")
        lines.append(f"    {change.why}" + (f"; {change.remedy}" if change.remedy else ""))
        lines.append(f"    such as {change.examples[0]}")
    rest = one.changes[len(shown) :]
    if rest:
        pages = sum(change.os_pages_counted for change in rest)
        words = sum(change.words for change in rest)
        lines.append(
            f"{_many(pages, 'OS page')}: {_many(len(rest), 'more change')}, {_many(words, 'word')}"
        )
    if one.same_os_pages:
        lines.append(
            f"{_many(one.same_os_pages, 'OS page')}: written to, and as before again; reshare() "
            "gives them back"
        )
    lines += [f"not explained: {note}" for note in one.not_explained]
    return "\n".join(lines)

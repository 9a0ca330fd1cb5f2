"""The answers to queries found without the index: a scan through the text of some files.

Every answer of a worker is compared with it, on a sample of the files. Nothing of the index is
used: files are read again from disk, and what is a name, a string or a comment is found again.
"""

from __future__ import annotations

import bisect
import io
import itertools
import re
import tokenize
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from frozen_arena.demo.index import token_kind
from frozen_arena.demo.queries import PAGE, Answer, Hit, Query
from frozen_arena.demo.sources import Source, read_source

_SPACE: Final = r"(?:[ \t\f]|\\\n)+"
_DEFINITION: Final = re.compile(rf"(?:(?:async{_SPACE})?def|class){_SPACE}(\w+)")

_Place = tuple[int, int, str]
"""Line, column and label; the label of a definition is only how its signature begins."""


@dataclass(frozen=True, slots=True)
class _Text:
    """A file as the scan sees it."""

    lines: list[str]
    starts: list[int]
    """Where each line begins in `text`."""
    text: str
    kinds: list[str]
    """For each character of `text` the kind of its token, or "layout"."""
    definitions: list[tuple[str, _Place]]


class PlainScan:
    """Checks answers on a sample of the files."""

    def __init__(self, sample: Mapping[int, Source]) -> None:
        """Reads the sample.

        Args:
            sample: File number in the index under test -> the file.
        """
        self._texts = {number: _read(source) for number, source in sorted(sample.items())}

    def wrong(self, query: Query, answer: Answer) -> str | None:
        """What is wrong with an answer, as one sentence; None when it is right on the sample."""
        counts = dict(answer.counts)
        if list(answer.counts) != sorted(counts.items()):
            return f"{query}: files out of order or twice"
        if len(answer.page) != min(PAGE, sum(counts.values())):
            return f"{query}: {len(answer.page)} hits shown of {sum(counts.values())}"
        places = [(hit.file, hit.line, hit.column) for hit in answer.page]
        if any(one >= two for one, two in itertools.pairwise(places)):
            return f"{query}: hits out of order"
        for number, text in self._texts.items():
            expected = list(_scan(text, query))
            if counts.get(number, 0) != len(expected):
                return (
                    f"{query}: {counts.get(number, 0)} hits in file {number} "
                    f"where a plain scan finds {len(expected)}"
                )
            before = sum(count for file, count in answer.counts if file < number)
            shown = [hit for hit in answer.page if hit.file == number]
            if len(shown) != max(0, min(PAGE - before, len(expected))):
                return f"{query}: file {number} has {len(shown)} hits on the page"
            for hit, place in zip(shown, expected, strict=False):
                if not _same(text, query, hit, place):
                    return f"{query}: {hit} where a plain scan finds {place}"
        return None


def _read(source: Source) -> _Text:
    text = read_source(source.path)
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    kinds = ["layout"] * (len(text) + 1)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = token_kind(token)
        if kind is None:
            continue
        begin = starts[token.start[0] - 1] + token.start[1]
        # The end is taken from the text: 3.12 misplaces the end of pieces with doubled braces.
        end = begin + len(token.string)
        kinds[begin:end] = [kind] * (end - begin)
    del kinds[len(text) :]
    return _Text(lines, starts, text, kinds, list(_definitions(text, kinds, starts)))


def _scan(text: _Text, query: Query) -> Iterator[_Place]:
    """Hits of a query in one file, in the order of the text."""
    if query.kind == "definition":
        yield from (place for name, place in text.definitions if name == query.term)
        return
    step = len(query.term) if query.kind == "substring" else 1
    for offset in _occurrences(text.text, query.term, step):
        if query.kind == "substring":
            yield *_place(text.starts, offset), text.kinds[offset]
            continue
        word = _name_at(text, offset)
        if word is not None and (query.kind == "prefix" or word == query.term):
            yield *_place(text.starts, offset), word


def _definitions(text: str, kinds: list[str], starts: list[int]) -> Iterator[tuple[str, _Place]]:
    """Every definition in a text: its name, and its place."""
    for match in _DEFINITION.finditer(text):
        if kinds[match.start()] != "keyword" or kinds[match.start(1)] != "name":
            continue
        if match.start() and kinds[match.start() - 1] != "layout":
            continue
        # The parser normalizes identifiers, as the language reference says.
        name = unicodedata.normalize("NFKC", match[1])
        words = match[0].replace("\\\n", " ").split()
        yield name, (*_place(starts, match.start()), " ".join([*words[:-1], name]))


def _occurrences(text: str, term: str, step: int) -> Iterator[int]:
    """Offsets of `term`, each at least `step` characters behind the one before."""
    offset = text.find(term)
    while offset >= 0:
        yield offset
        offset = text.find(term, offset + step)


def _name_at(text: _Text, offset: int) -> str | None:
    """The identifier that begins at `offset`, if one does."""
    if text.kinds[offset] != "name" or (offset and text.kinds[offset - 1] == "name"):
        return None
    end = offset
    while end < len(text.kinds) and text.kinds[end] == "name":
        end += 1
    return text.text[offset:end]


def _place(starts: list[int], offset: int) -> tuple[int, int]:
    line = bisect.bisect_right(starts, offset)
    return line, offset - starts[line - 1]


def _same(text: _Text, query: Query, hit: Hit, place: _Place) -> bool:
    line, column, label = place
    if (hit.line, hit.column) != (line, column):
        return False
    if query.kind == "definition":
        after = hit.label.removeprefix(label)
        return hit.label.startswith(label) and after[:1] in ("", "(", "[")
    return hit.label == label and hit.text == text.lines[line - 1]

"""Queries of the code search: how they are drawn from an index, and how an index answers them.

An answer counts the hits in every file and shows the first page of them. That makes it possible to
check any answer on a sample of the files (`plain_scan`), however many hits there are.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from frozen_arena.demo.index import TRIGRAM, Index, Posting

QUERY_KINDS: Final = ("identifier", "prefix", "substring", "definition")
PAGE: Final = 20
"""Hits on the first page of an answer."""

_LONGEST_SUBSTRING: Final = 14
_AT_A_TIME: Final = 1024  # postings or lines between two checkpoints


@dataclass(frozen=True, slots=True)
class Query:
    """One question: a kind of `QUERY_KINDS` and what is looked for."""

    kind: str
    term: str


@dataclass(frozen=True, slots=True)
class Hit:
    """One place in the sources where the term of a query was found."""

    file: int
    line: int
    column: int
    label: str
    """What stands there: the identifier, the kind of the token, or the signature."""
    text: str
    """The line, or the first line of the docstring of a definition."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker sends back."""

    counts: tuple[tuple[int, int], ...]
    """File number and hits in that file, by file number."""
    page: tuple[Hit, ...]
    """The first `PAGE` hits by file, line and column."""


def draw_queries(index: Index, sample: Sequence[int], count: int, seed: int) -> list[Query]:
    """Draws `count` queries of all kinds; the same ones for the same index and seed.

    Args:
        index: The index that will answer; it must hold at least one file.
        sample: Numbers of the files on which the answers will be checked. About half of the
            queries ask for something from these files, so that the check has hits to see.
        count: How many.
        seed: Of the random choice.
    """
    rng = random.Random(seed)
    everywhere = range(len(index.files))
    queries = []
    for _ in range(count):
        kind = rng.choice(QUERY_KINDS)
        files = sample if rng.random() < 0.5 else everywhere
        term = _draw_term(index, kind, files, rng)
        # A text of its own, as what a client sends: holding the index's would change its count.
        own = term.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")
        queries.append(Query(kind, own))
    return queries


def answer_query(
    index: Index, query: Query, checkpoint: Callable[[], object] | None = None
) -> Answer:
    """Answers a query from the index alone.

    Args:
        index: Where to look.
        query: What for.
        checkpoint: Called now and then in the middle of what may take long, when little is held.

    Raises:
        ValueError: The kind is not one of `QUERY_KINDS`.
    """
    match query.kind:
        case "identifier":
            names = [query.term] if query.term in index.postings else []
            return _answer_names(index, names, checkpoint)
        case "prefix":
            return _answer_names(index, index.names_with_prefix(query.term), checkpoint)
        case "substring":
            return _answer_substring(index, query.term, checkpoint)
        case "definition":
            return _answer_definition(index, query.term)
    raise ValueError(f"no such kind of query: {query.kind!r}")


def _draw_term(index: Index, kind: str, files: Sequence[int], rng: random.Random) -> str:
    """A term that a file of `files` holds; where none does, one that nothing holds."""
    for _ in range(100):
        file = index.files[rng.choice(files)]
        if kind == "substring":
            line = rng.choice(file.lines)
            at = rng.randrange(max(1, len(line)))
            term = line[at : at + rng.randint(TRIGRAM, _LONGEST_SUBSTRING)]
            if len(term.strip()) >= TRIGRAM:
                return term
        elif file.tokens["name"]:
            name = rng.choice(file.tokens["name"]).text
            if kind == "definition":
                if name in index.definitions:
                    return name
            elif kind == "prefix":
                return name[: max(TRIGRAM, len(name) // 2)]
            else:
                return name
    return "nothing_is_called_like_this"


def _answer_names(
    index: Index, names: Sequence[str], checkpoint: Callable[[], object] | None
) -> Answer:
    lists = [index.postings[name] for name in names]
    counts: Counter[int] = Counter()
    for postings in lists:
        for start in range(0, len(postings), _AT_A_TIME):
            counts.update(file for file, _, _ in postings[start : start + _AT_A_TIME])
            if checkpoint is not None:
                checkpoint()
    in_order = heapq.merge(
        *(_labelled(name, postings) for name, postings in zip(names, lists, strict=True))
    )
    page = tuple(
        Hit(file, line, column, name, index.files[file].lines[line - 1])
        for (file, line, column), name in itertools.islice(in_order, PAGE)
    )
    return Answer(tuple(sorted(counts.items())), page)


def _labelled(name: str, postings: Sequence[Posting]) -> Iterator[tuple[Posting, str]]:
    for posting in postings:
        yield posting, name


def _answer_substring(index: Index, term: str, checkpoint: Callable[[], object] | None) -> Answer:
    counts: Counter[int] = Counter()
    page: list[Hit] = []
    for at, (number, line_number) in enumerate(index.lines_that_may_hold(term)):
        if checkpoint is not None and at % _AT_A_TIME == 0:
            checkpoint()
        file = index.files[number]
        line = file.lines[line_number - 1]
        column = line.find(term)
        while column >= 0:
            counts[number] += 1
            if len(page) < PAGE:
                kind = file.kind_at(line_number, column)
                page.append(Hit(number, line_number, column, kind, line))
            column = line.find(term, column + len(term))
    return Answer(tuple(sorted(counts.items())), tuple(page))


def _answer_definition(index: Index, name: str) -> Answer:
    definitions = index.definitions.get(name, [])
    counts = Counter(one.file for one in definitions)
    page = tuple(
        Hit(one.file, one.line, one.column, one.signature, (one.docstring or "").partition("\n")[0])
        for one in definitions[:PAGE]
    )
    return Answer(tuple(sorted(counts.items())), page)

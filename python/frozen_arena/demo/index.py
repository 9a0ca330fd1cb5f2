"""A code search index of Python sources, made of ordinary Python objects.

Nothing here knows of arenas or workers: it is what a program would build anyway. `build_index`
reads the files; the lookups that need no ranking or paging stand here as methods, the queries in
`queries`.
"""

from __future__ import annotations

import ast
import bisect
import io
import keyword
import sys
import token as token_numbers
import tokenize
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from frozen_arena.demo.sources import Source, read_source

Posting = tuple[int, int, int]
"""Where an identifier stands: file number, line from 1, column from 0 in characters."""

TOKEN_KINDS: Final = ("name", "keyword", "string", "number", "comment", "operator")
TRIGRAM: Final = 3

# Comparing the lists of more trigrams takes longer than looking at the lines that are left.
_TRIGRAMS_COMPARED: Final = 3

_UNKNOWN: Final = "unknown"
# f-strings come in pieces from 3.12 on and template strings from 3.14 on.
_KIND_BY_NUMBER: Final = {
    number: kind
    for number, name in token_numbers.tok_name.items()
    for prefix, kind in {
        "NAME": "name",
        "STRING": "string",
        "FSTRING_": "string",
        "TSTRING_": "string",
        "NUMBER": "number",
        "COMMENT": "comment",
        "OP": "operator",
        "ERRORTOKEN": _UNKNOWN,
    }.items()
    if (name.startswith(prefix) if prefix.endswith("_") else name == prefix)
}

_FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_DefinitionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class IndexingError(Exception):
    """A file that is not valid Python for this interpreter, or cannot be read."""


@dataclass(slots=True)
class Token:
    """One token: its text and where it begins."""

    text: str
    line: int
    column: int

    def covers(self, line: int, column: int) -> bool:
        """Whether the character at this place belongs to the token."""
        if (line, column) < (self.line, self.column):
            return False
        breaks = self.text.count("\n")
        if breaks == 0:
            return line == self.line and column < self.column + len(self.text)
        last = len(self.text) - self.text.rfind("\n") - 1
        return (line, column) < (self.line + breaks, last)


@dataclass
class Definition:
    """A class or function: where its statement begins, its signature and what it says of itself."""

    name: str
    file: int
    line: int
    column: int
    signature: str
    """As it would be written, without the colon: `class Index(Base)`, `def f(a, b=1) -> int`."""
    docstring: str | None


@dataclass(slots=True)
class SourceFile:
    """One file: its lines and its tokens by kind, each in the order of the text."""

    name: str
    lines: list[str]
    tokens: dict[str, list[Token]]

    def kind_at(self, line: int, column: int) -> str:
        """The kind of the token at a place, or "layout" between tokens."""
        for kind in TOKEN_KINDS:
            tokens = self.tokens[kind]
            after = bisect.bisect_right(tokens, (line, column), key=_place)
            if after and tokens[after - 1].covers(line, column):
                return kind
        return "layout"


@dataclass
class Index:
    """The whole index. Files are known by their number, their place in `files`."""

    files: list[SourceFile] = field(default_factory=list)
    postings: dict[str, list[Posting]] = field(default_factory=dict)
    """Identifier -> everywhere it stands, sorted."""
    names: list[str] = field(default_factory=list)
    """All identifiers, sorted, for the search by prefix."""
    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    """Name -> classes and functions of that name, by file, line and column."""
    first_lines: list[int] = field(default_factory=list)
    """For each file the number of its first line, when the lines of all files are counted on."""
    trigrams: dict[str, list[int]] = field(default_factory=dict)
    """Three characters -> sorted numbers of the lines that hold them, counted over all files."""
    skipped: list[str] = field(default_factory=list)
    """Names of files that are not valid Python for this interpreter."""

    def names_with_prefix(self, prefix: str) -> list[str]:
        """All identifiers that begin with `prefix`, sorted."""
        begin = bisect.bisect_left(self.names, prefix)
        end = bisect.bisect_left(self.names, prefix + chr(sys.maxunicode), lo=begin)
        return self.names[begin:end]

    def lines_that_may_hold(self, text: str) -> list[tuple[int, int]]:
        """File and line (from 1) wherever the rarest trigrams of `text` meet, sorted.

        Args:
            text: At least three characters.
        """
        lists = [self.trigrams.get(trigram) for trigram in sorted(_trigrams(text))]
        if not lists or None in lists:
            return []
        rarest = sorted((lines for lines in lists if lines is not None), key=len)
        common = set(rarest[0])
        for lines in rarest[1:_TRIGRAMS_COMPARED]:
            common.intersection_update(lines)
        found = []
        for number in sorted(common):
            file = bisect.bisect_right(self.first_lines, number) - 1
            found.append((file, number - self.first_lines[file] + 1))
        return found

    def totals(self) -> dict[str, int]:
        """Counts of what is in the index, found by going over all of it once."""
        return {
            "files": len(self.files),
            "lines": sum(len(file.lines) for file in self.files),
            "characters": sum(len(line) + 1 for file in self.files for line in file.lines),
            "tokens": sum(
                1
                for file in self.files
                for tokens in file.tokens.values()
                for token in tokens
                if token.line and token.text
            ),
            "identifiers": len(self.names),
            "postings": sum(1 for found in self.postings.values() for place in found if place[1]),
            "definitions": sum(
                1 for found in self.definitions.values() for one in found if one.line
            ),
            "trigrams": sum(1 for lines in self.trigrams.values() for line in lines if line >= 0),
        }


def build_index(sources: Iterable[Source], progress: Callable[[int], None] | None = None) -> Index:
    """Reads and indexes `sources`; files that are not valid Python are skipped and named.

    Args:
        sources: The files, in the order in which they get their numbers.
        progress: Called after each file with the number of bytes read until then.
    """
    index = Index()
    words: dict[str, str] = {}  # equal texts are one object in the whole index
    done = 0
    for source in sources:
        try:
            _add_file(index, source, words)
        except IndexingError:
            index.skipped.append(source.name)
        done += source.size
        if progress is not None:
            progress(done)
    for postings in index.postings.values():
        postings.sort()
    for definitions in index.definitions.values():
        definitions.sort(key=lambda one: (one.file, one.line, one.column))
    index.names = sorted(index.postings)
    return index


def token_kind(token: tokenize.TokenInfo) -> str | None:
    """The kind under which a token is kept; None for line ends and indentation.

    Raises:
        IndexingError: The tokenizer does not know this character.
    """
    kind = _KIND_BY_NUMBER.get(token.type)
    if kind == "name" and keyword.iskeyword(token.string):
        return "keyword"
    if kind == _UNKNOWN:
        raise IndexingError(f"unknown character {token.string!r}")
    return kind


def _add_file(index: Index, source: Source, words: dict[str, str]) -> None:
    """Adds one file, or nothing of it when it is not valid Python."""
    number = len(index.files)
    try:
        text = read_source(source.path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the sources are warned of is not our business
            definitions = _definitions(ast.parse(text), number)
            tokens, postings = _tokens_and_postings(text, number, words)
    except (OSError, SyntaxError, ValueError, RecursionError, tokenize.TokenError) as error:
        raise IndexingError(str(error)) from error
    lines = text.split("\n")
    _check_places(lines, tokens["name"])
    index.files.append(SourceFile(source.name, lines, tokens))
    for name, places in postings.items():
        index.postings.setdefault(name, []).extend(places)
    for definition in definitions:
        index.definitions.setdefault(definition.name, []).append(definition)
    _add_trigrams(index, lines)


def _tokens_and_postings(
    text: str, number: int, words: dict[str, str]
) -> tuple[dict[str, list[Token]], dict[str, list[Posting]]]:
    tokens: dict[str, list[Token]] = {kind: [] for kind in TOKEN_KINDS}
    postings: dict[str, list[Posting]] = {}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = token_kind(token)
        if kind is None:
            continue
        _, string, (line, column), _, _ = token
        word = words.setdefault(string, string)
        tokens[kind].append(Token(word, line, column))
        if kind == "name":
            postings.setdefault(word, []).append((number, line, column))
    return tokens, postings


def _check_places(lines: list[str], names: list[Token]) -> None:
    """Some releases of CPython misplace names in f-strings that hold non-ASCII text.

    Raises:
        IndexingError: A name does not stand where the tokenizer says.
    """
    for name in names:
        if not lines[name.line - 1].startswith(name.text, name.column):
            raise IndexingError(f"line {name.line}: misplaced token")


def _definitions(tree: ast.Module, number: int) -> list[Definition]:
    return [
        Definition(
            name=node.name,
            file=number,
            line=node.lineno,
            column=node.col_offset,
            signature=_signature(node),
            docstring=ast.get_docstring(node),
        )
        for node in _statements(tree)
        if isinstance(node, _DefinitionNode)
    ]


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements in `node`, and the parts of them that hold statements; no expressions."""
    for block in ("body", "handlers", "cases", "orelse", "finalbody"):
        inside = getattr(node, block, ())
        if isinstance(inside, list):  # the body of a lambda or a conditional is an expression
            for one in inside:
                yield one
                yield from _statements(one)


def _signature(node: _DefinitionNode) -> str:
    parameters: list[ast.AST] = getattr(node, "type_params", [])  # from 3.12 on
    name = node.name
    if parameters:
        name += f"[{', '.join(ast.unparse(one) for one in parameters)}]"
    if isinstance(node, ast.ClassDef):
        bases = [ast.unparse(base) for base in node.bases]
        bases += [
            f"{one.arg}={ast.unparse(one.value)}" if one.arg else f"**{ast.unparse(one.value)}"
            for one in node.keywords
        ]
        return f"class {name}({', '.join(bases)})" if bases else f"class {name}"
    prefix = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{prefix} {name}({ast.unparse(node.args)}){returns}"


def _add_trigrams(index: Index, lines: list[str]) -> None:
    """Adds the trigrams of a file; the file's own entry in `first_lines` comes with them."""
    first = index.first_lines[-1] + len(index.files[-2].lines) if index.first_lines else 0
    index.first_lines.append(first)
    all_trigrams = index.trigrams
    for number, line in enumerate(lines, start=first):
        for trigram in _trigrams(line):
            if trigram in all_trigrams:
                all_trigrams[trigram].append(number)
            else:
                all_trigrams[trigram] = [number]


def _trigrams(line: str) -> set[str]:
    """Every three characters that stand beside each other in a line."""
    return {line[at : at + TRIGRAM] for at in range(len(line) - TRIGRAM + 1)}


def _place(token: Token) -> tuple[int, int]:
    return token.line, token.column

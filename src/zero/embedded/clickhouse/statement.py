"""What the server must know of a statement before the engine runs it: its kind, its format, and where inline data begins.

Only the shape is read here; the engine's own parser decides everything else, and what is dangerous is judged in ``guard``.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise

_TOKEN = re.compile(
    r"""(?P<blank>\s+|--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)
      |(?P<text>'(?:[^'\\]|\\.|'')*'|\u2018[^\u2019]*\u2019|\$\w*\$.*?\$\w*\$)
      |(?P<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*"|\u201c[^\u201d]*\u201d)
      |(?P<word>\w+)
      |(?P<sign>.)""",
    re.VERBOSE | re.DOTALL,
)
_WATCHES = re.compile(r"\bprocesses\b|\bprocesslist\b|\bKILL\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a sign or a literal, with its place in the statement."""

    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement split for execution.

    ``sql`` is what the engine gets; for an insert that carries data it ends before FORMAT, and ``format`` names the format of
    the data, which begins at ``data_start`` of the text; a file of data is named at ``file_at`` of ``sql``. ``kind`` is the
    first word in capitals. ``watches`` says that it looks at, or ends, other queries.
    """

    sql: str
    kind: str
    format: str | None
    takes_data: bool
    watches: bool
    data_start: int = 0
    file_at: int = 0

    def reading(self, path: str, data_format: str) -> str:
        """Return the insert that takes its data from a file."""
        return f"{self.sql[: self.file_at]} FROM INFILE '{path}' {self.sql[self.file_at :]} FORMAT {data_format}"


def read_statement(text: str) -> Statement:
    """Read a whole statement, or the head of an insert with data behind it (which is never looked at)."""
    kind = next((token.text.upper() for token in _code(text) if token.kind == "word"), "")
    if kind == "INSERT" or (kind == "WITH" and any(token.text.upper() == "INSERT" for token in _code(text))):
        insert = _read_insert(text)
        if insert is not None:
            return insert
    return Statement(text, kind, _output_format(list(_code(text))), False, _WATCHES.search(text) is not None)


def _code(text: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(text):
        if found.lastgroup != "blank":
            yield Token(found.lastgroup or "", found[0], found.start(), found.end())


def _read_insert(text: str) -> Statement | None:
    """Return the insert with data, or None for INSERT … SELECT."""
    depth, settings_at = 0, None
    for here, after in pairwise(chain(_code(text), [Token("end", "", len(text), len(text))])):
        if here.kind == "sign":
            depth += (here.text in "([{") - (here.text in ")]}")
        if depth or here.kind != "word":
            continue
        word = here.text.upper()
        if word in ("SELECT", "WATCH"):
            return None
        if word == "SETTINGS" and after.kind == "word" and settings_at is None:
            settings_at = here.start
        if word == "VALUES":
            return Statement(text[: here.start], "INSERT", "Values", True, False, here.end, settings_at or here.start)
        if word == "FORMAT" and after.kind == "word":
            return _formatted_insert(text, here, after, settings_at or here.start)
    return Statement(text, "INSERT", None, True, False, len(text), settings_at or len(text))


def _formatted_insert(text: str, here: Token, name: Token, file_at: int) -> Statement:
    start = name.end
    while start < len(text) and text[start] in " \t\r":
        start += 1
    if start < len(text) and text[start] in "\n;":
        start += 1
    return Statement(text[: here.start], "INSERT", name.text, True, False, start, file_at)


def _output_format(tokens: list[Token]) -> str | None:
    """Return the format that ``FORMAT name`` at the end names."""
    depth, name = 0, None
    for here, after in pairwise(tokens):
        if here.kind == "sign":
            depth += (here.text in "([{") - (here.text in ")]}")
        elif depth == 0 and here.kind == "word" and here.text.upper() == "FORMAT" and after.kind == "word":
            name = after.text
    return name

"""What no statement may do here: reach files, processes or Python objects outside the database.

The engine's own grants (no SOURCES) refuse every table function and table engine that reaches out. Three ways are open all the
same: the scalar function ``file`` (also by bare name, as in ``arrayMap(file, …)`` or ``APPLY file``), the client-side clauses
INTO OUTFILE and FROM INFILE, and the table function ``python``. A statement whose text could contain one of these is first put
into the engine's canonical form, in which comments are gone and quoting is uniform, and that form is searched.
"""

import re
from collections.abc import Callable

from zero.embedded.clickhouse.errors import EngineError, readonly

_SUSPICIOUS = re.compile(r"file|python|executable|\\|\u2018|\u201c", re.IGNORECASE)
_CANONICAL_TEXT = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_FORBIDDEN = re.compile(
    r"(?<![\w.`$])`?file`?(?![\w.`$])|(?<![\w.`$])`?(?:python|executable)`?\s*\(|\bINTO\s+OUTFILE\b|\bFROM\s+INFILE\b"
)
_READS = frozenset({"READ_ONLY", "UNKNOWN"})
_READ_WORDS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "EXISTS", "FROM", ""})

Canonical = Callable[[str], str]


def refuse_outside_reach(sql: str, canonical: Canonical) -> None:
    """Raise EngineError 497 when the statement reaches out of the database; ``canonical`` is the engine's formatter."""
    if _SUSPICIOUS.search(sql) is None:
        return
    code = _CANONICAL_TEXT.sub("''", canonical(sql))
    found = _FORBIDDEN.search(code)
    if found is not None:
        what = found[0].strip("`( \n")
        raise EngineError(497, "ACCESS_DENIED", f"Not enough privileges. `{what}` reaches outside of the database")


def refuse_more_than_reading(kind: str, query_class: str) -> None:
    """Raise EngineError 164 unless the statement only reads; for the ``reader`` user, on top of the engine's ``readonly=1``."""
    if query_class not in _READS or kind not in _READ_WORDS:
        raise readonly("Cannot execute query in readonly mode.")


def refuse_several(count: int) -> None:
    """Raise EngineError 62 for more than one statement in a request."""
    if count > 1:
        raise EngineError(62, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed)")

"""Counting entries by what a projection knows, so that a search over millions reads thousands of rows.

``counts`` has a row for each tenant, five minutes, app, level and pattern of a part, ``minutes`` one for each tenant, minute,
app and level (docs/decisions/0280). The store takes one by itself where a query asks for nothing else. So the whole buckets of
a scope are asked for in its words, and the rows are read only at both ends of the scope, where it cuts a bucket apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zero.application.ports import BUCKET_NS, Scope
from zero.domain.instant import NANOSECONDS_PER_SECOND
from zero.domain.query import (
    And,
    Between,
    Everything,
    Exists,
    InPattern,
    Is,
    LevelIn,
    Like,
    Node,
    Not,
    OfPatterns,
    Or,
    TimeBetween,
)
from zero.infrastructure.clickhouse.query_compiler import Parameters, compile_query


@dataclass(frozen=True, slots=True)
class Bucket:
    """What a projection counts by: the begin of a bucket as SQL, how long it is, and whether patterns are told apart."""

    sql: str
    seconds: int
    by_pattern: bool


FIVE_MINUTES = Bucket("toStartOfFiveMinutes(timestamp)", BUCKET_NS // NANOSECONDS_PER_SECOND, by_pattern=True)
MINUTE = Bucket("toStartOfMinute(timestamp)", 60, by_pattern=False)
_LATEST_SECOND = 2**32 - 1  # what a DateTime can tell
_FIELD = "app_id"


def scope_condition(scope: Scope, window: TimeBetween) -> tuple[str, dict[str, Any]]:
    """Return SQL for the scope within the window: the tenant first, always."""
    narrowed: Node = And((window, scope.query))
    compiled = compile_query(narrowed)
    parameters: Parameters = {"tenant": scope.tenant}
    return f"tenant = {{tenant:String}} AND {compiled.sql}", {**parameters, **compiled.parameters}


def counted(
    scope: Scope, keys: Mapping[str, str], figures: Mapping[str, tuple[str, str]], bucket: Bucket = FIVE_MINUTES
) -> tuple[str, dict[str, Any]]:
    """Return SQL that gives each combination of the keys in the scope once, with its figures, and the parameters of it.

    ``keys`` are expressions by name; ``figures`` are by name an aggregate over entries and the function that puts several of
    it together. All are over what the projection of ``bucket`` knows.
    """
    compiled = compile_query(scope.query)
    parameters: dict[str, Any] = {"tenant": scope.tenant, **compiled.parameters}
    among = f"tenant = {{tenant:String}} AND {compiled.sql}"
    selected = [f"{sql} AS {name}" for name, sql in keys.items()] + [f"{sql} AS {name}" for name, (sql, _) in figures.items()]
    grouped = f" GROUP BY {', '.join(keys)}"
    windows, ends = _windows(scope, bucket) if _knows(scope.query, bucket) else ([_between(scope)], _ends(scope))
    selects = [f"SELECT {', '.join(selected)} FROM logs WHERE {among} AND {window}{grouped}" for window in windows]
    if len(selects) == 1:
        return selects[0], parameters | ends
    summed = ", ".join([*keys, *(f"{together}({name}) AS {name}" for name, (_, together) in figures.items())])
    return f"SELECT {summed} FROM ({' UNION ALL '.join(selects)}){grouped}", parameters | ends


def _knows(node: Node, bucket: Bucket) -> bool:
    """Say whether the projection can tell the entries that the query asks for."""
    match node:
        case Everything() | LevelIn():
            return True
        case InPattern() | OfPatterns():
            return bucket.by_pattern
        case And(children) | Or(children):
            return all(_knows(child, bucket) for child in children)
        case Not(child):
            return _knows(child, bucket)
        case Is(field) | Like(field) | Between(field) | Exists(field):
            return field.name == _FIELD and not field.is_key
    return False


def _ends(scope: Scope) -> dict[str, Any]:
    ends = {"scope_from": scope.from_ns, "scope_to": scope.to_ns}
    return {name: end for name, end in ends.items() if end is not None}


def _between(scope: Scope) -> str:
    ends = []
    if scope.from_ns is not None:
        ends.append("timestamp >= fromUnixTimestamp64Nano({scope_from:Int64}, 'UTC')")
    if scope.to_ns is not None:
        ends.append("timestamp < fromUnixTimestamp64Nano({scope_to:Int64}, 'UTC')")
    return " AND ".join(ends) or "1"


def _windows(scope: Scope, bucket: Bucket) -> tuple[list[str], dict[str, Any]]:
    """Return conditions that do not overlap and cover the scope: whole buckets, and what is left of those at its ends."""
    seconds, latest = bucket.seconds, _LATEST_SECOND // bucket.seconds * bucket.seconds
    low = None if scope.from_ns is None else min(latest, -(-scope.from_ns // (seconds * NANOSECONDS_PER_SECOND)) * seconds)
    high = None if scope.to_ns is None else min(latest, scope.to_ns // (seconds * NANOSECONDS_PER_SECOND) * seconds)
    if low is not None and high is not None and low >= high:
        return [_between(scope)], _ends(scope)
    whole, cut, parameters = ["1"], [], {}
    if low is not None and scope.from_ns is not None:
        whole.append(f"{bucket.sql} >= toDateTime({{low:UInt32}}, 'UTC')")
        parameters["low"] = low
        if scope.from_ns != low * NANOSECONDS_PER_SECOND:
            cut.append("timestamp < toDateTime({low:UInt32}, 'UTC')")
    if high is not None and scope.to_ns is not None:
        whole.append(f"{bucket.sql} < toDateTime({{high:UInt32}}, 'UTC')")
        parameters["high"] = high
        if scope.to_ns != high * NANOSECONDS_PER_SECOND:
            cut.append("timestamp >= toDateTime({high:UInt32}, 'UTC')")
    windows = [" AND ".join(whole[1:]) or "1"]
    if cut:
        windows.append(f"({' OR '.join(cut)}) AND {_between(scope)}")
        parameters |= _ends(scope)
    return windows, parameters

"""The JSON column of a Native block in plain Python: one Dynamic column for every path.

Up to ``DYNAMIC_PATHS_MAX`` paths make the flattened form. Further paths, in order of appearance, would each cost a byte for
every row: they go into the shared data, (path, value) pairs held by the rows that have them. That needs the form of version 1.
"""

import struct
from collections.abc import Mapping, Sequence

from zero.domain.entry import MetadataValue
from zero.domain.varint import varint

DYNAMIC_PATHS_MAX = 256
_TYPES = ("Bool", "Float64", "Int64", "SharedVariant", "String", "UInt64")  # sorted; SharedVariant only in version 1
_TYPE_CODES = {"Bool": b"\x2d", "Float64": b"\x0e", "Int64": b"\x0a", "String": b"\x15", "UInt64": b"\x04"}
_NO_VALUE = 255

Metadata = Mapping[bytes, MetadataValue]


def json_column(rows: Sequence[Mapping[str, MetadataValue]]) -> bytes:
    """Return the column of the rows' metadata, flat as it is in an entry."""
    encoded = [{key.encode(): value for key, value in row.items()} for row in rows]
    appeared = list(dict.fromkeys(key for row in encoded for key in row))
    paths = sorted(appeared[:DYNAMIC_PATHS_MAX])
    flattened = len(appeared) <= DYNAMIC_PATHS_MAX
    parts = [struct.pack("<Q", 3 if flattened else 0)]
    if not flattened:
        parts.append(varint(len(paths)))
    parts += varint(len(paths)), *map(string, paths)
    columns = [[row.get(path) for row in encoded] for path in paths]
    parts += [_structure(column, flattened) for column in columns]
    parts += [_data(column, flattened) for column in columns]
    if not flattened:
        parts.append(_shared_data(encoded, frozenset(paths)))
    return b"".join(parts)


def string(text: bytes) -> bytes:
    """Return the text behind its length, as Native writes every string."""
    return varint(len(text)) + text


def type_of(value: MetadataValue) -> str:
    """Return the ClickHouse type that holds the value."""
    if isinstance(value, bool):
        return "Bool"
    if isinstance(value, str):
        return "String"
    if isinstance(value, float):
        return "Float64"
    return "Int64" if value < 1 << 63 else "UInt64"


def _value(value: MetadataValue) -> bytes:
    if isinstance(value, bool):
        return bytes([value])
    if isinstance(value, str):
        return string(value.encode())
    if isinstance(value, float):
        return struct.pack("<d", value)
    return struct.pack("<q" if value < 1 << 63 else "<Q", value)


def _types(column: Sequence[MetadataValue | None]) -> list[str]:
    return sorted({type_of(value) for value in column if value is not None})


def _structure(column: Sequence[MetadataValue | None], flattened: bool) -> bytes:
    types = _types(column)
    names = varint(len(types)) + b"".join(string(kind.encode()) for kind in types)
    if flattened:
        return struct.pack("<Q", 3) + names
    return struct.pack("<Q", 1) + varint(len(types)) + names + struct.pack("<Q", 0)


def _data(column: Sequence[MetadataValue | None], flattened: bool) -> bytes:
    types = _types(column)
    numbered = [kind for kind in _TYPES if kind in types or (kind == "SharedVariant" and not flattened)]
    no_value = len(types) if flattened else _NO_VALUE
    discriminators = bytes(no_value if value is None else numbered.index(type_of(value)) for value in column)
    values = (value for kind in types for value in column if value is not None and type_of(value) == kind)
    return discriminators + b"".join(map(_value, values))


def _shared_data(rows: Sequence[Metadata], dynamic: frozenset[bytes]) -> bytes:
    offsets, paths, values = [], [], []
    for row in rows:
        for path in sorted(row.keys() - dynamic):
            paths.append(string(path))
            values.append(string(_TYPE_CODES[type_of(row[path])] + _value(row[path])))
        offsets.append(len(paths))
    return struct.pack(f"<{len(rows)}Q", *offsets) + b"".join(paths) + b"".join(values)

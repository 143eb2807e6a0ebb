"""JSON of a known form, in plain Python: a reading that ends at the first value that is not what the form has there."""

import re
from collections.abc import Callable
from typing import TypeVar

from zero.domain.errors import InvalidInput
from zero.infrastructure.codec.decode_json_twin import check_body_size
from zero.infrastructure.codec.json_tree_twin import JsonError, Node, parse_json
from zero.infrastructure.codec.text_twin import Repaired, repair
from zero.infrastructure.codec.values_twin import number_value

T = TypeVar("T")
_MARK = b"\xef\xbb\xbf"
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)


class WrongForm(ValueError):
    """A value is not what the form has there."""

    def __init__(self, node: Node) -> None:
        super().__init__(f"wrong form at {node.start}")
        self.node = node


def read_form(body: bytes, expected: str, read: Callable[[Repaired, Node], T]) -> T:
    """Return what ``read`` makes of the JSON text of a body. Raises InvalidInput."""
    check_body_size(body)
    text = body.removeprefix(_MARK)
    if not text.strip(b" \t\r\n"):
        raise InvalidInput("body is empty")
    fixed, mark_bytes = repair(text), len(body) - len(text)
    try:
        root = parse_json(fixed.data)
    except JsonError as error:
        position = mark_bytes + fixed.original(error.position)
        raise InvalidInput(f"body is not valid JSON at byte {position}", position=position) from error
    try:
        return read(fixed, root)
    except WrongForm as error:
        position = mark_bytes + fixed.original(error.node.start)
        raise InvalidInput(f"body is not {expected} at byte {position}", position=position) from error


def members(node: Node) -> list[tuple[str, Node]]:
    """Return the members of an object but those that are null. Raises WrongForm."""
    if node.kind != "object":
        raise WrongForm(node)
    return [(key, value) for key, value in node.members if value.kind != "null"]


def elements(node: Node) -> list[Node]:
    """Return the elements of an array. Raises WrongForm."""
    if node.kind != "array":
        raise WrongForm(node)
    return [value for _, value in node.members]


def string(node: Node) -> str:
    """Return the characters of a string. Raises WrongForm."""
    if node.kind != "string":
        raise WrongForm(node)
    return node.text


def integer(node: Node, least: int, most: int) -> int:
    """Return the integer that a number or the text of a string is. Raises WrongForm."""
    if node.kind in ("number", "string") and NUMBER.fullmatch(node.text):
        value = number_value(node.text)
        if isinstance(value, int) and least <= value <= most:
            return value
    raise WrongForm(node)

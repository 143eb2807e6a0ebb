"""The bulk door in plain Python: the oracle of the native decoder."""

import re
from dataclasses import dataclass
from typing import Any

from zero.application.ports import Decoded
from zero.domain.errors import InvalidInput
from zero.infrastructure.codec.decode_json_twin import Report, check_body_size, read_draft
from zero.infrastructure.codec.entry_twin import Stamp
from zero.infrastructure.codec.json_form_twin import WrongForm, members, string
from zero.infrastructure.codec.json_tree_twin import JsonError, Node, parse_json
from zero.infrastructure.codec.text_twin import repair

INDEX_BYTES, ID_BYTES = 255, 512
_KINDS = ("index", "create", "update", "delete")
_STREAM = re.compile(r"logs-([^-]+)-([^-]+)", re.DOTALL)
_DATE = re.compile(r"(.+)[.-][0-9]{4}[.-][0-9]{2}(?:[.-][0-9]{2})?", re.DOTALL)
_BLANKS = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class Action:
    """What stands in front of a document."""

    kind: str
    index: str
    id: str


def read_index(index: str) -> tuple[str, str]:
    """Return the application and the environment ('' for none) that the name of an index says."""
    if stream := _STREAM.fullmatch(index):
        return stream[1], "" if stream[2] == "default" else stream[2]
    dated = re.fullmatch(r"(.+)[.-][0-9]{4}[.-][0-9]{2}[.-][0-9]{2}", index, re.DOTALL) or _DATE.fullmatch(index)
    return (dated[1] if dated else index), ""


def decode_bulk(body: bytes | memoryview, now_ns: int, source: str, index: str) -> tuple[Decoded, list[dict[str, Any]]]:
    """Decode bulk lines; returns the items of the answer too, without the ids that we make. Raises InvalidInput."""
    data = bytes(body)
    check_body_size(data)
    reader = _BulkReader(data, Stamp(now_ns, source), index)
    while reader.position < len(data):
        reader.step()
    if not reader.items:
        raise InvalidInput("body is empty")
    return reader.report.decoded(), reader.items


class _BulkReader:
    def __init__(self, data: bytes, stamp: Stamp, index: str) -> None:
        self._data = data
        self._stamp = stamp
        self._index = index
        self.position = 0
        self.report = Report()
        self.items: list[dict[str, Any]] = []

    def step(self) -> None:
        start = self.position
        line = self._line()
        if not line.strip(_BLANKS):
            return None
        self.report.reserve()
        action = self._action(line, start)
        if action.kind == "delete":
            return self._reject(action, "delete: logs are only added")
        if self.position >= len(self._data):
            raise InvalidInput(f"body is not a bulk request at byte {len(self._data)}", position=len(self._data))
        text = self._line()
        if action.kind == "update":
            return self._reject(action, "update: logs are only added")
        for name, value, limit in (("_index", action.index, INDEX_BYTES), ("_id", action.id, ID_BYTES)):
            if len(value.encode()) > limit:
                return self._reject(action, f"{name}: {len(value.encode())} bytes, limit {limit}")
        return self._document(action, text)

    def _line(self) -> bytes:
        end = self._data.find(b"\n", self.position)
        end = len(self._data) if end < 0 else end
        line = self._data[self.position : end]
        self.position = min(end + 1, len(self._data))
        return line

    def _action(self, line: bytes, start: int) -> Action:
        fixed = repair(line)
        try:
            return _read_action(parse_json(fixed.data), self._index)
        except JsonError as error:
            position = start + fixed.original(error.position)
            raise InvalidInput(f"body is not valid JSON at byte {position}", position=position) from error
        except WrongForm as error:
            position = start + fixed.original(error.node.start)
            raise InvalidInput(f"body is not a bulk request at byte {position}", position=position) from error

    def _document(self, action: Action, text: bytes) -> None:
        if not text.strip(_BLANKS):
            return self._reject(action, "document is empty")
        fixed = repair(text)
        try:
            node = parse_json(fixed.data)
        except JsonError as error:
            return self._reject(action, f"document is not valid JSON at byte {fixed.original(error.position)}")
        if node.kind != "object":
            return self._reject(action, "document is not an object")
        draft = read_draft(fixed, node, self._stamp, documents=True)
        draft.repaired = node.lone or bool(fixed.replacements)
        if action.id:
            draft.put("_id", action.id)
        app_id, environment = read_index(action.index)
        draft.texts["app_id"] = draft.texts.get("app_id") or app_id
        draft.texts["environment"] = draft.texts.get("environment") or environment
        before = len(self.report.errors)
        self.report.add(draft)
        return self._item(action, self.report.errors[-1][1] if len(self.report.errors) > before else None)

    def _reject(self, action: Action, reason: str) -> None:
        self.report.reject(reason)
        self._item(action, reason)

    def _item(self, action: Action, reason: str | None) -> None:
        item: dict[str, Any] = {"_index": action.index if len(action.index.encode()) <= INDEX_BYTES else ""}
        if action.id and len(action.id.encode()) <= ID_BYTES:
            item["_id"] = action.id
        if reason is None:
            item |= {"_version": 1, "result": "created", "status": 201}
        else:
            item |= {"status": 400, "error": {"type": "document_parsing_exception", "reason": reason}}
        self.items.append({action.kind: item})


def _read_action(root: Node, index: str) -> Action:
    if root.kind != "object":
        raise WrongForm(root)
    action = None
    for kind, value in root.members:
        if kind not in _KINDS or action is not None:
            raise WrongForm(value)
        found = {key: string(node) for key, node in members(value) if key in ("_index", "_id")}
        action = Action(kind, found.get("_index", index), found.get("_id", ""))
    if action is None:
        raise WrongForm(root)
    return action

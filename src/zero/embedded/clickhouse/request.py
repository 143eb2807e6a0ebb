"""One request of the ClickHouse HTTP interface: who asks, what, and with which settings."""

import base64
import binascii
import hmac
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.policy import HTTP
from urllib.parse import parse_qsl

from zero.embedded.clickhouse.errors import EngineError, authentication_failed, readonly
from zero.embedded.clickhouse.options import READER, WRITER, ReaderLimits

_NOT_SETTINGS = frozenset(
    {
        "query", "user", "password", "database", "default_format", "query_id", "session_id", "session_check", "session_timeout",
        "compress", "decompress", "quota_key", "stacktrace", "role", "buffer_size", "wait_end_of_query", "close_session",
        "client_protocol_version", "http_write_exception_in_output_format",
    }
)  # fmt: skip
_SETTING = re.compile(r"[a-z][a-z0-9_]{0,127}\Z")
_QUERY_ID = re.compile(r"[\x20-\x7e]{1,128}\Z")
# What the reader may set: the shape of answers and how they travel. Limits only downwards; nothing that names a file.
_READER_MAY_SET = re.compile(
    r"(output_format_\w+|date_time_output_format|session_timezone|enable_http_compression|http_zlib_compression_level|log_comment"
    r"|send_progress_in_http_headers|http_headers_progress_interval_ms|cancel_http_readonly_queries_on_client_close|extremes"
    r"|max_block_size|use_query_condition_cache|timeout_overflow_mode|result_overflow_mode|optimize_\w+|query_plan_\w+)\Z"
)


@dataclass(frozen=True, slots=True)
class Request:
    """What the head of a request says. ``query`` is None when the statement is in the body alone."""

    user: str
    query: str | None
    params: Mapping[str, str]
    settings: Mapping[str, str | int]
    database: str
    default_format: str
    query_id: str
    content_encoding: str
    content_type: str
    accept_encoding: str
    reads_only: bool


def read_request(
    query_string: bytes,
    raw_headers: Iterable[tuple[bytes, bytes]],
    passwords: Mapping[str, str],
    limits: ReaderLimits,
) -> Request:
    """Read and authenticate a request's head. Raises EngineError."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw_headers}
    fields = dict(parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=2000))
    user = _authenticate(headers, fields, passwords)
    if fields.get("compress", "0") == "1" or fields.get("decompress", "0") == "1":
        raise EngineError(48, "NOT_IMPLEMENTED", "compress and decompress are not supported; use Content-Encoding")
    query_id = fields.get("query_id") or str(uuid.uuid4())
    if _QUERY_ID.match(query_id) is None:
        raise EngineError(36, "BAD_ARGUMENTS", "query_id has 1 to 128 printable ASCII characters")
    settings = {name: value for name, value in fields.items() if name not in _NOT_SETTINGS and not name.startswith("param_")}
    wants_encoding = settings.get("enable_http_compression", "0") in ("1", "true")
    return Request(
        user=user,
        query=fields.get("query") or None,
        params={name[6:]: value for name, value in fields.items() if name.startswith("param_")},
        settings=_reader_settings(settings, limits) if user == READER else _writer_settings(settings, limits),
        database=fields.get("database") or headers.get("x-clickhouse-database") or "default",
        default_format=fields.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated",
        query_id=query_id,
        content_encoding=headers.get("content-encoding", "").strip().lower(),
        content_type=headers.get("content-type", ""),
        accept_encoding=headers.get("accept-encoding", "") if wants_encoding else "",
        reads_only=user == READER or _renounces(settings),
    )


def with_form(request: Request, body: bytes) -> Request:
    """Return the request with the statement and the parameters of its form."""
    form = _read_form(request.content_type, body)
    params = {name[6:]: value for name, value in form.items() if name.startswith("param_")}
    return replace(request, query=form.get("query") or request.query, params={**request.params, **params})


def _read_form(content_type: str, body: bytes) -> dict[str, str]:
    """Return the text fields of a multipart/form-data body: clients send long parameters so. Files are refused."""
    form = message_from_bytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body, policy=HTTP)
    fields = {}
    for part in form.iter_parts() if form.is_multipart() else ():
        name, file = part.get_param("name", header="content-disposition"), part.get_filename()
        payload = part.get_payload(decode=True)
        if not isinstance(name, str) or file is not None or not isinstance(payload, bytes):
            raise EngineError(48, "NOT_IMPLEMENTED", "External data is not supported")
        fields[name] = payload.decode("utf-8", "replace")
    return fields


def _authenticate(headers: Mapping[str, str], fields: Mapping[str, str], passwords: Mapping[str, str]) -> str:
    user, password = _credentials(headers, fields)
    expected = passwords.get(user)
    matches = hmac.compare_digest(password.encode(), (expected or "").encode())
    if expected is None or not matches:
        raise authentication_failed(user)
    return user


def _credentials(headers: Mapping[str, str], fields: Mapping[str, str]) -> tuple[str, str]:
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(token, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise authentication_failed("") from error
        return user, password
    return fields.get("user", WRITER), fields.get("password", "")


def _renounces(settings: Mapping[str, str]) -> bool:
    """Say whether a request gives up its right to write with the setting ``readonly``."""
    return settings.get("readonly", "0") != "0"


def _writer_settings(asked: Mapping[str, str], limits: ReaderLimits) -> dict[str, str | int]:
    for name in asked:
        if _SETTING.match(name) is None:
            raise EngineError(115, "UNKNOWN_SETTING", f"Setting {name[:64]} is no setting")
    if not _renounces(asked):
        return dict(asked)
    settings: dict[str, str | int] = {**limits.settings(), "allow_introspection_functions": 0, **asked}
    return {**{name: value for name, value in settings.items() if name != "readonly"}, "readonly": 1}


def _reader_settings(asked: Mapping[str, str], limits: ReaderLimits) -> dict[str, str | int]:
    """Return the limits, lowered where asked, and the harmless settings asked for; ``readonly`` comes last."""
    settings: dict[str, str | int] = {**limits.settings(), "allow_introspection_functions": 0}
    for name, value in asked.items():
        if name in limits.settings():
            settings[name] = _lowered(name, value, limits.settings()[name])
        elif _READER_MAY_SET.match(name):
            settings[name] = value
        elif (name, value) != ("readonly", "1"):
            raise readonly(f"Cannot modify '{name[:64]}' setting in readonly mode.")
    settings["readonly"] = 1
    return settings


def _lowered(name: str, value: str, bound: int) -> int:
    if not value.isdigit() or not 0 < int(value) <= bound:
        raise EngineError(452, "SETTING_CONSTRAINT_VIOLATION", f"Setting {name} shouldn't be greater than {bound}")
    return int(value)

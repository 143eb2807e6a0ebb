"""The faults of the embedded ClickHouse server: it has them only when it is started with ``--hooks``, as the harness does."""

import json
import urllib.request
from typing import Any

from zero.embedded.clickhouse.options import WRITER


class StoreHooks:
    """Arms and clears the faults of one server."""

    def __init__(self, url: str, password: str) -> None:
        self._url = url
        self._password = password

    def arm(self, kind: str, **more: Any) -> None:
        """Have the next inserts of the drain fail: see ``zero.embedded.clickhouse.hooks``.

        They begin with a comment; those of patterns, which are inserted beside them, do not.
        """
        self._ask("POST", "/_hooks", json.dumps({"kind": kind, "match": "INSERT INTO /*", **more}).encode())

    def clear(self) -> None:
        """Forget what is armed."""
        self._ask("DELETE", "/_hooks", b"")

    def struck(self) -> int:
        """Return how often a hook struck since the server was started."""
        return int(json.loads(self._ask("GET", "/_hooks", b""))["struck"])

    def count(self, condition: str = "1") -> int:
        """Return how many rows of ``logs`` the store has."""
        return int(self._ask("POST", "/?database=zero", f"SELECT count() FROM logs WHERE {condition}".encode()))

    def _ask(self, method: str, path: str, body: bytes) -> bytes:
        headers = {"X-ClickHouse-User": WRITER, "X-ClickHouse-Key": self._password}
        request = urllib.request.Request(f"{self._url}{path}", body or None, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            found: bytes = answer.read()
            return found

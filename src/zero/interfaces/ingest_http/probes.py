"""``/health``, ``/ready`` and ``/metrics``."""

import asyncio
import json
from collections.abc import Callable

from zero.application.readiness import Readiness, ReadinessReport
from zero.interfaces.ingest_http.exchange import Exchange, Handle, Head
from zero.interfaces.ingest_http.reply import Reply

Word = Callable[[ReadinessReport], Reply]
METRICS_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


class Probes:
    """Answers those who look after the process. All who ask for readiness at once share one look."""

    def __init__(self, readiness: Readiness, metrics: Callable[[], bytes]) -> None:
        self._readiness = readiness
        self._metrics = metrics
        self._asking: list[tuple[Exchange, Word]] = []
        self._look: asyncio.Task[None] | None = None

    def health(self, head: Head) -> Handle:
        """Say that the process is alive."""
        return lambda body, exchange: exchange.reply(Reply(200, b'{"status":"alive"}'))

    def metrics(self, head: Head) -> Handle:
        """Give the metrics as Prometheus text."""
        return lambda body, exchange: exchange.reply(Reply(200, self._metrics(), METRICS_TYPE))

    def ready(self, head: Head) -> Handle:
        """Say whether logs would be accepted, and what an acknowledgement means."""
        return lambda body, exchange: self.ask(exchange, _ready_reply)

    def ask(self, exchange: Exchange, word: Word) -> None:
        """Answer with the readiness as ``word`` puts it."""
        self._asking.append((exchange, word))
        if self._look is None:
            self._look = asyncio.get_running_loop().create_task(self._answer())

    async def _answer(self) -> None:
        try:
            report = await self._readiness.check()
        except Exception as error:
            report = ReadinessReport(reasons=(f"the check failed: {type(error).__name__}: {error}",))
        finally:
            self._look = None
        asking, self._asking = self._asking, []
        for exchange, word in asking:
            exchange.reply(word(report))


def _ready_reply(report: ReadinessReport) -> Reply:
    body = {"ready": report.ready, "durability": report.durability, "detail": report.detail, "reasons": report.reasons}
    headers = () if report.ready else ((b"Retry-After", b"1"),)
    return Reply(200 if report.ready else 503, json.dumps(body, separators=(",", ":")).encode(), headers=headers)

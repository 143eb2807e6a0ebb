"""Ingest without a funnel: what the first stages of ``zero bench`` do with a request."""

import asyncio
from typing import Any

from zero.application.ingest import Ingest, IngestOptions
from zero.application.ports import Buffer, Clock, Codec, Decoded, Telemetry
from zero.application.submission import Submission


class DirectIngest(Ingest):
    """Appends each request alone, at once, however many are under way."""

    def __init__(
        self, codec: Codec, buffer: Buffer, clock: Clock, telemetry: Telemetry, options: IngestOptions | None = None
    ) -> None:
        super().__init__(codec, buffer, clock, telemetry, options)
        self._appending: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """Refuse what is new, finish what was taken. The caller bounds the wait."""
        await super().close()
        while self._appending:
            await asyncio.wait(self._appending)

    def _gather(self, submission: Submission, decoded: Decoded) -> None:
        if not decoded.accepted:
            return super()._gather(submission, decoded)
        submission.body = b""
        task = asyncio.get_running_loop().create_task(self._flush([(submission, decoded)]))
        self._appending.add(task)
        task.add_done_callback(self._appending.discard)
        return None

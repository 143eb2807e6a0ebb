"""What was lost: counted at once, told once a second, so that nobody fills our log by sending what is no message."""

from zero.application.ports import Telemetry
from zero.interfaces.ingest_syslog.events import SyslogLost


class Losses:
    """The losses since the last report, by transport and reason; of their sources the last one is named."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._counts: dict[tuple[str, str], tuple[int, str]] = {}

    def add(self, transport: str, reason: str, messages: int, source: str) -> None:
        """Count messages."""
        known, _ = self._counts.get((transport, reason), (0, ""))
        self._counts[transport, reason] = (known + messages, source)

    def report(self) -> None:
        """Say what was lost since the last time."""
        counts, self._counts = self._counts, {}
        for (transport, reason), (messages, source) in counts.items():
            self._telemetry.emit(SyslogLost(transport, reason, messages, source))

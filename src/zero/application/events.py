"""The events of the platform. Each is defined once; its log line and its metrics are both derived from the definition."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth counting. Fields named in ``labels`` become metric labels and come from small fixed sets.

    Every event adds one to ``zero_<name>_total``; each numeric field in ``amounts`` is added to ``zero_<name>_<field>_total``,
    each in ``timings`` (seconds) is observed in the histogram ``zero_<name>_<field>``, and each in ``gauges`` sets the gauge of
    that name. ``level`` is that of its log line; ``None`` writes no line.
    """

    name: ClassVar[str]
    level: ClassVar[str | None] = None
    labels: ClassVar[tuple[str, ...]] = ()
    amounts: ClassVar[tuple[str, ...]] = ()
    timings: ClassVar[tuple[str, ...]] = ()
    gauges: ClassVar[tuple[str, ...]] = ()
    help: ClassVar[str] = ""

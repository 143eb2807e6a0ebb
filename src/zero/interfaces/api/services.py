"""What the api needs from the rest of the process."""

from collections.abc import Callable
from dataclasses import dataclass

from zero.application.dead_letters import DeadLetters
from zero.application.fields import FieldSearch
from zero.application.key_ring import KeyRing
from zero.application.keys import Keys
from zero.application.meaning.search import MeaningSearch
from zero.application.overview import Overview
from zero.application.patterns.anomalies import Anomalies
from zero.application.patterns.listing import PatternSearch
from zero.application.ports import Telemetry, Tracer
from zero.application.search import Search
from zero.application.tail import Tail
from zero.application.timeline import TimelineSearch


@dataclass(frozen=True, slots=True)
class ApiServices:
    """``metrics`` returns Prometheus text. ``keys`` says who asks; ``key_admin`` changes the keys."""

    search: Search
    timeline: TimelineSearch
    tail: Tail
    overview: Overview
    metrics: Callable[[], bytes]
    keys: KeyRing
    key_admin: Keys
    patterns: PatternSearch
    anomalies: Anomalies
    fields: FieldSearch
    meaning: MeaningSearch
    dead_letters: DeadLetters
    telemetry: Telemetry
    tracer: Tracer | None = None

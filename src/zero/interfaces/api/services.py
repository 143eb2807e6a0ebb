"""What the api needs from the rest of the process."""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request

from zero.application.overview import Overview
from zero.application.search import Search
from zero.application.tail import Tail
from zero.application.timeline import TimelineSearch

DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class ApiServices:
    """``metrics`` returns Prometheus text."""

    search: Search
    timeline: TimelineSearch
    tail: Tail
    overview: Overview
    metrics: Callable[[], bytes]


def tenant_of(request: Request) -> str:
    """Return whose logs the request may see. Every door asks here, and nothing in a request can name another tenant."""
    return DEFAULT_TENANT

"""What the api reports about itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from zero.application.events import Event


@dataclass(frozen=True, slots=True)
class RequestAnswered(Event):
    """A request to the api. ``door`` is the template of its path; ``status`` is as 2xx, or ``left`` when the client left."""

    name: ClassVar[str] = "api_request"
    labels: ClassVar[tuple[str, ...]] = ("door", "status")
    timings: ClassVar[tuple[str, ...]] = ("seconds",)
    cases: ClassVar[tuple[tuple[str, ...], ...]] = (("/api/logs", "2xx"), ("/api/logs", "5xx"))
    help: ClassVar[str] = "Requests answered by the api; status 'left' is of clients that did not wait"
    about: ClassVar[Mapping[str, str]] = {"seconds": "Time to the end of an answer, but for live tails"}

    door: str
    status: str
    seconds: float

"""How a stop of `zero up` shares its time: ``stop_seconds_max`` for all of it.

Each role is told how long it may take, and ends by itself within that. Whatever is unfinished then is safe to leave: what a
drain has lies in the buffer, what an ingest has was not acknowledged. The supervisor kills who is later, and keeps the last
part for the servers, which are best ended in order. Of 10 seconds: ingest 3, drain 3, api 1 by themselves; killed at
4.5, 7.8, 8.5; servers at 10.
"""

from dataclasses import replace

from zero.embedded.stop_time import StopTime
from zero.settings import Settings

_SHARES = {"ingest": 0.3, "drain": 0.3, "api": 0.1}
_KILLED_AT = {"ingest": 0.45, "drain": 0.78, "api": 0.85}
_SERVERS_SECONDS_MIN = 1.5
STORE_SECONDS = 1
"""How long the embedded store lets queries of others run on at a stop."""
STOP_ORDER = tuple(_KILLED_AT)


def stop_time(settings: Settings) -> StopTime:
    """Return when what has to have ended."""
    return StopTime(settings.stop_seconds_max, _KILLED_AT, _SERVERS_SECONDS_MIN)


def told_to(role: str, settings: Settings) -> Settings:
    """Return the settings for a role, with its share of the time."""
    return replace(settings, stop_seconds_max=max(1, int(settings.stop_seconds_max * _SHARES.get(role, 1.0))))

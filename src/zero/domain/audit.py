"""The audit log: acts of administration, and who did them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """Who (``key:<id>``, ``cli:<user>`` or ``anyone``) did what (``key.create`` …) to which thing, and how."""

    at_ns: int
    actor: str
    act: str
    subject: str
    detail: str = ""

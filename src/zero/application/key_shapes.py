"""Keys and acts as plain values, for JSON; no secret and no digest is among them."""

from typing import Any

from zero.application.keys import NewKey
from zero.domain.audit import AuditRecord
from zero.domain.instant import format_instant
from zero.domain.key import ApiKey, Quota


def key_shape(key: ApiKey) -> dict[str, Any]:
    """Return what may be shown of a key."""
    return {
        "id": key.id,
        "tenant": key.tenant,
        "scopes": sorted(key.scopes),
        "label": key.label,
        "created": instant(key.created_ns),
        "expires": instant(key.expires_ns),
        "revoked": instant(key.revoked_ns),
        "rotated_from": key.rotated_from,
        "quota": {name: getattr(key.quota, name) for name in Quota.__slots__},
    }


def new_key_shape(made: NewKey) -> dict[str, Any]:
    """Return a key that was just made, with its text: this once."""
    return {"key": made.text, **key_shape(made.key)}


def act_shape(act: AuditRecord) -> dict[str, Any]:
    """Return an act of administration."""
    return {"at": instant(act.at_ns), "actor": act.actor, "act": act.act, "subject": act.subject, "detail": act.detail}


def instant(at_ns: int | None) -> str | None:
    """Return RFC 3339, or None for never."""
    return None if at_ns is None else format_instant(at_ns)

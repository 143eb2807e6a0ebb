"""The bounds on how much one request may ask for."""

from zero.domain.errors import InvalidInput


def check_limit(limit: int, limit_max: int, field: str = "limit") -> None:
    """Raise InvalidInput, which names the field, unless ``limit`` is 1 to ``limit_max``."""
    if not 1 <= limit <= limit_max:
        raise InvalidInput(f"{field} is {limit}; it must lie between 1 and {limit_max}", field=field)

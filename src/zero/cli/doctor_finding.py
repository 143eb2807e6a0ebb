"""What a look of ``zero doctor`` found."""

from dataclasses import dataclass

OK, WARN, FAIL = "ok", "warn", "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one look found; ``state`` is ok, warn (it works, but not as well or as safely as it could) or fail (it cannot work).

    ``advice`` says what to do; empty when there is nothing.
    """

    subject: str
    state: str
    detail: str
    advice: str = ""

"""How long to wait before the next attempt: exponential, bounded, with jitter."""

from dataclasses import dataclass

from zero.application.ports import Random


@dataclass(frozen=True, slots=True)
class BackoffOptions:
    """Waits grow from ``first_seconds`` by ``factor`` up to ``seconds_max``."""

    factor: float = 2.0
    first_seconds: float = 0.05
    seconds_max: float = 5.0

    def __post_init__(self) -> None:
        if not (0 < self.first_seconds <= self.seconds_max and self.factor >= 1):
            raise ValueError("a back-off needs 0 < first_seconds <= seconds_max and factor >= 1")


class Backoff:
    """The waits between the attempts of one task."""

    def __init__(self, random: Random, options: BackoffOptions | None = None) -> None:
        self._random = random
        self._options = options or BackoffOptions()
        self._ceiling = 0.0
        self.attempts = 0

    def next(self) -> float:
        """Return the seconds to wait now: between half of the present ceiling and all of it, so that crowds spread."""
        options = self._options
        self.attempts += 1
        self._ceiling = min(max(self._ceiling * options.factor, options.first_seconds), options.seconds_max)
        return self._ceiling * (1 + self._random.random()) / 2

    def reset(self) -> None:
        """Start again from the first wait: the task has succeeded."""
        self._ceiling = 0.0
        self.attempts = 0

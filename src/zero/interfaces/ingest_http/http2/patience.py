"""How much a peer may ask for without bringing anything: one measure for every kind of flood."""

from zero.interfaces.ingest_http.http2.frames import ConnectionFault, ErrorCode

RELIEF = 8
"""Points that an answered request makes up for: honest clients send some control frames with each, and heads of some size."""

TURN_POINTS_MAX = 32
"""Points after which the other connections have their turn. The dearest, those of heads, are some 50 us of processor each."""


class Patience:
    """Counts points of one connection. Frames that bring nothing cost points; answered requests give back; time heals.

    What may cost: control frames and empty or tiny DATA 1; a stream that the peer cancels 5, because its work is done all the
    same; a stream that the peer makes us reset 10; a head that has to be decoded 1 for each 256 bytes of its block or KiB of
    its list, whichever is more. Half of the points are forgiven each second.
    """

    __slots__ = ("_most", "_points", "_turn")

    def __init__(self, points_max: int) -> None:
        self._most = points_max
        self._points = self._turn = 0

    def strain(self, kind: str, points: int = 1) -> None:
        """Count what was asked for. Raises ConnectionFault when it is too much; ``kind`` names it."""
        self._points += points
        self._turn += points
        if self._points > self._most:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"too much of {kind}", abuse=kind)

    def relieve(self) -> None:
        """Take note of an answered request."""
        if self._points:
            self._points = max(0, self._points - RELIEF)

    def begin_turn(self) -> None:
        """Take note that the other connections had their turn."""
        self._turn = 0

    @property
    def tired(self) -> bool:
        """Whether the other connections should have their turn before this one goes on."""
        return self._turn > TURN_POINTS_MAX

    def heal(self) -> None:
        """Take note that a second has passed."""
        self._points //= 2

"""How much a peer may ask for without bringing anything: one measure for every kind of flood."""

from zero.interfaces.ingest_http.http2.frames import ConnectionFault, ErrorCode

RELIEF = 4
"""Points that an answered request makes up for: honest clients send some control frames with each."""


class Patience:
    """Counts points of one connection. Frames that bring nothing cost points; answered requests give back; time heals.

    What may cost: control frames and empty or tiny DATA 1; a stream that the peer cancels 5, because its work is done all the
    same; a stream that the peer makes us reset 10; large heads 1 a KiB. Half of the points are forgiven each second.
    """

    __slots__ = ("_most", "_points")

    def __init__(self, points_max: int) -> None:
        self._most = points_max
        self._points = 0

    def strain(self, kind: str, points: int = 1) -> None:
        """Count what was asked for. Raises ConnectionFault when it is too much; ``kind`` names it."""
        self._points += points
        if self._points > self._most:
            raise ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, f"too much of {kind}", abuse=kind)

    def relieve(self) -> None:
        """Take note of an answered request."""
        if self._points:
            self._points = max(0, self._points - RELIEF)

    def heal(self) -> None:
        """Take note that a second has passed."""
        self._points //= 2

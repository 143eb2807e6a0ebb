"""What the tests of all decoders share: one clock and source, and the outcome of a decoder in a form that can be compared."""

from collections.abc import Callable

from hypothesis import HealthCheck, settings

from zero.application.ports import Decoded
from zero.domain.errors import InvalidInput
from zero.infrastructure.native.codec import NativeCodec

NOW_NS = 1_795_341_600_123_456_789
SOURCE = "192.0.2.7"
NATIVE = NativeCodec()
Decode = Callable[[bytes, int, str], Decoded]

thorough = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


def outcome(decode: Decode, body: bytes) -> tuple[object, ...]:
    """Return everything that a decoder says of the body, its refusal too."""
    try:
        result = decode(body, NOW_NS, SOURCE)
    except InvalidInput as error:
        return type(error), error.message, error.position
    return result.payload, result.accepted, result.rejected, list(result.errors), result.repaired

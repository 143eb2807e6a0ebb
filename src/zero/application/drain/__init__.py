"""The drain: moves what is acknowledged in the buffer into the store, exactly once (docs/decisions/0131)."""

from zero.application.drain.options import DrainOptions
from zero.application.drain.parts import DrainParts, FrameCodec
from zero.application.drain.service import DrainService, DrainServiceOptions, ShardShare
from zero.application.drain.shard import DrainState, ShardDrain

__all__ = [
    "DrainOptions",
    "DrainParts",
    "DrainService",
    "DrainServiceOptions",
    "DrainState",
    "FrameCodec",
    "ShardDrain",
    "ShardShare",
]

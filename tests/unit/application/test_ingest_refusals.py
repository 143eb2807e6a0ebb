"""A flush of which the buffer takes a part."""

import asyncio

from tests.unit.application.test_ingest import GatedBuffer, Rig
from zero.application.framing import FrameBounds
from zero.application.ingest import IngestOptions
from zero.application.receipt import Receipt
from zero.domain.errors import Overloaded


async def test_a_refusal_reaches_only_those_whose_frames_were_refused():
    class PartlyFull(GatedBuffer):
        async def append(self, appends):
            if any(append.idempotency or append.shard for append in appends):
                raise Overloaded("no room for these")
            return await super().append(appends)

    rig = Rig(IngestOptions(shards=2, frame=FrameBounds(entries_max=2)), shards=2)
    rig.ingest._buffer = rig.buffer = PartlyFull(2)
    sent = [rig.send(b"ab"), rig.send(b"cd"), rig.send(b"e", key="k")]
    outcome = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(each) for each in outcome].count(Overloaded) == 2
    (receipt,) = [each for each in outcome if isinstance(each, Receipt)]
    assert receipt.accepted == 2
    stored = await rig.buffer.ledger()
    assert stored["default"].accepted == 2  # what was refused is not in the buffer, what is in it was not refused
    await rig.ingest.close()

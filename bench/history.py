"""The seven stages of the platform's history: what each changes, and what then was the bottleneck.

The sentences about bottlenecks are those of a two-core machine; the profiles that the report prints beside them are of its own.
"""

from dataclasses import dataclass

from bench.load import NDJSON, PROTOBUF


@dataclass(frozen=True)
class Stage:
    """One stage: its setting, what it changes, and what then was the bottleneck."""

    number: int
    name: str
    pipeline: str
    changes: str
    bottleneck: str
    content_type: str = NDJSON


STAGES = (
    Stage(
        1,
        "baseline",
        "direct",
        "Every request is an insert of its own, and the answer waits for it.",
        "The store is the bottleneck, because one row costs it nearly as much as a thousand: with single "
        "entries it uses most of the processor time that is used at all, its samples in the commits of "
        "inserts, while ingest waits (with batches of 1,000 it is the other way round: the samples are in the "
        "Python codec).",
    ),
    Stage(
        2,
        "fire-and-forget",
        "fire-and-forget",
        "The answer comes at once, and the insert waits in memory for one of the pooled connections.",
        "The store takes no more than before, as busy with the same commits: answers outrun it, the queue "
        "grows without a bound, and what it holds when the process ends was acknowledged and is lost, which "
        "the counts of accepted and stored show.",
    ),
    Stage(
        3,
        "coalescing",
        "coalesced",
        "Requests that arrive while an insert is under way share the next one: a double-buffered funnel, one flush at a time.",
        "The store now sees few large inserts and has time left; the one Python process is the bottleneck, "
        "its samples spread over the event loop, the codec and handing blocks over, and an answer still waits "
        "for up to two inserts.",
    ),
    Stage(
        4,
        "durable stream",
        "stream",
        "The answer waits for an fsynced append to a stream, no longer for the store; a drain inserts large "
        "blocks exactly once.",
        "Python is the bottleneck, in two processes: ingest and drain use nearly all the processor time, "
        "their samples in reading JSON and in reading and writing protobuf field by field, while Valkey and "
        "ClickHouse idle.",
    ),
    Stage(
        5,
        "all cores",
        "cores",
        "An ingest process on each core shares the port, and large bodies are decoded in threads that get them without a copy.",
        "More is accepted and no more is stored: the drain is one Python process and has to share its core, "
        "its samples in the protobuf reader and the masks of patterns, and the interpreter lock lets the "
        "threads take turns only.",
    ),
    Stage(
        6,
        "native",
        "native",
        "Decoding, validation and encoding happen in C++, a call for each batch, without the interpreter lock.",
        "Python all but disappears: with single entries the bottleneck is the event loop around each request, "
        "with batches it is the store, which uses about as much processor time as all other roles together; "
        "of ingest's samples a quarter is in JSON.",
    ),
    Stage(
        7,
        "protobuf",
        "native",
        "Senders send LogBatch: no JSON anywhere.",
        "Decoding is a few percent of ingest's samples, and the store alone is the bottleneck for batches, "
        "with twice the processor time of ingest; for single entries nothing changes, because it was never "
        "the parsing that they cost.",
        PROTOBUF,
    ),
)

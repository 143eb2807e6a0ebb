"""Entries by their identities, in every query in the same words."""

from collections.abc import Sequence
from typing import Any


def among(identities: Sequence[tuple[int, int]]) -> tuple[str, dict[str, Any]]:
    """Return the condition that an entry has one of these (batch id, index), and its parameters; at least one is given.

    The list alone would be compared with every row: the range before it lets the index on ``_bid`` leave most of them out.
    """
    batch_ids, indexes = [batch_id for batch_id, _ in identities], [index for _, index in identities]
    condition = (
        "_bid BETWEEN {low:UInt64} AND {high:UInt64}"
        " AND (_bid, _idx) IN (SELECT arrayJoin(arrayZip({bids:Array(UInt64)}, {idxs:Array(UInt32)})))"
    )
    return condition, {"bids": batch_ids, "idxs": indexes, "low": min(batch_ids), "high": max(batch_ids)}

"""Batch ids: UInt64 that grow with time and are never given twice.

Layout, from the top: 42 bits of Unix milliseconds (until the year 2109), 14 bits of process epoch, 8 bits of sequence. The
epoch is counted and claimed in the buffer, so no two processes that live have the same one, whatever their clocks say.
"""

EPOCH_BITS = 14
SEQUENCE_BITS = 8
EPOCHS = 1 << EPOCH_BITS
SEQUENCES = 1 << SEQUENCE_BITS


class BatchIds:
    """Gives out the batch ids of one process."""

    def __init__(self, process_epoch: int) -> None:
        self.epoch = process_epoch % EPOCHS
        self._last_ms = 0
        self._sequence = 0

    def renew(self, process_epoch: int) -> None:
        """Go on under another epoch; the time does not go back."""
        self.epoch = process_epoch % EPOCHS

    def next(self, now_ms: int) -> int:
        """Return a new id. A clock that stands still or goes back borrows from the milliseconds to come."""
        if now_ms > self._last_ms:
            self._last_ms, self._sequence = now_ms, 0
        else:
            self._sequence += 1
            if self._sequence == SEQUENCES:
                self._last_ms, self._sequence = self._last_ms + 1, 0
        return batch_id(self._last_ms, self.epoch, self._sequence)


def batch_id(now_ms: int, process_epoch: int, sequence: int) -> int:
    """Return the id made of its three parts."""
    return now_ms << (EPOCH_BITS + SEQUENCE_BITS) | process_epoch << SEQUENCE_BITS | sequence


def batch_id_ms(identity: int) -> int:
    """Return the Unix milliseconds held in a batch id."""
    return identity >> (EPOCH_BITS + SEQUENCE_BITS)

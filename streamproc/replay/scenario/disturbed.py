"""What goes wrong in a scenario: with the records before they come, with the model and the broker while they do."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from streamproc.core import Int64Array, RecordBatch, TopicPartition
from streamproc.replay.scenario.options import Corrupt, Faults, Outage


class FaultyMachine:
    """The model and the broker while something is wrong with them; implements ``Disturbance``.

    Args:
        faults: what goes wrong, and when.
        first_ns: when the first record comes.
    """

    def __init__(self, faults: Faults, first_ns: int) -> None:
        self._faults = faults
        self._first_ns = first_ns

    def run_ns(self, now_ns: int, took_ns: int) -> int:
        """See ``Disturbance``."""
        for slow in self._faults.executor_slow:
            if self._is_during(slow, now_ns):
                took_ns = round(took_ns * slow.times)
        return took_ns

    def failure(self, now_ns: int) -> Exception | None:
        """See ``Disturbance``."""
        if any(self._is_during(fails, now_ns) for fails in self._faults.executor_fails):
            return RuntimeError("the model fails in this scenario")
        return None

    def acknowledged_ns(self, now_ns: int, at_ns: int) -> int:
        """See ``Disturbance``."""
        for outage in self._faults.broker_outage:
            if self._is_during(outage, now_ns) or self._is_during(outage, at_ns):
                at_ns = max(at_ns, self._first_ns + outage.at + outage.length)
        return at_ns

    def _is_during(self, fault: Outage, now_ns: int) -> bool:
        return fault.at <= now_ns - self._first_ns < fault.at + fault.length


def disturbed(
    batches: Sequence[RecordBatch], faults: Faults, rng: np.random.Generator
) -> list[RecordBatch]:
    """The records as they come when something is wrong with them.

    Those that come later get the offsets of their new places, as a log would give them.

    Args:
        batches: the records, in the order of their arrival.
        faults: what goes wrong.
        rng: draws which records it is.
    """
    found = list(batches)
    if faults.corrupt is not None:
        found = [_cut(batch, faults.corrupt, rng) for batch in found]
    if faults.late is None and faults.out_of_order is None:
        return found
    sizes = [len(batch) for batch in found]
    delay_ns = np.zeros(sum(sizes), np.int64)
    if faults.late is not None:
        delay_ns += np.where(rng.random(delay_ns.size) < faults.late.share, int(faults.late.by), 0)
    if faults.out_of_order is not None:
        some = rng.random(delay_ns.size) < faults.out_of_order.share
        within_ns = rng.integers(0, int(faults.out_of_order.within) + 1, delay_ns.size)
        delay_ns += np.where(some, within_ns, 0)
    return _delayed(found, np.split(delay_ns, np.cumsum(sizes)[:-1]))


def _cut(batch: RecordBatch, corrupt: Corrupt, rng: np.random.Generator) -> RecordBatch:
    """Values that end in the middle."""
    drawn = (rng.random(len(batch)) < corrupt.share).tolist()
    value = [
        text[: len(text) // 2] if is_cut and text else text
        for text, is_cut in zip(batch.value, drawn, strict=True)
    ]
    return replace(batch, value=value)


def _delayed(batches: Iterable[RecordBatch], delays_ns: Iterable[Int64Array]) -> list[RecordBatch]:
    """Each record later by its delay; what then comes together is fetched together."""
    pieces: dict[TopicPartition, list[RecordBatch]] = {}
    for batch, delay_ns in zip(batches, delays_ns, strict=True):
        for late_ns in np.unique(delay_ns).tolist():
            rows = np.flatnonzero(delay_ns == late_ns).tolist()
            piece = replace(
                batch,
                offset=batch.offset[rows],
                timestamp_ns=batch.timestamp_ns[rows],
                key=[batch.key[row] for row in rows],
                value=[batch.value[row] for row in rows],
                headers={
                    i: batch.headers[row] for i, row in enumerate(rows) if row in batch.headers
                },
                arrival_ns=batch.arrival_ns + late_ns,
            )
            pieces.setdefault(batch.source, []).append(piece)
    found: list[RecordBatch] = []
    for some in pieces.values():
        some.sort(key=lambda piece: piece.arrival_ns)
        offsets = np.sort(np.concatenate([piece.offset for piece in some]))
        ends = np.cumsum([len(piece) for piece in some])
        parts = np.split(offsets, ends[:-1])
        found += [
            replace(piece, offset=part, end_position=int(part[-1]) + 1)
            for piece, part in zip(some, parts, strict=True)
        ]
    return sorted(found, key=lambda batch: batch.arrival_ns)

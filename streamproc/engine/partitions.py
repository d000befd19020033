"""The partitions that are this process's, and how far each is done."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from streamproc.core import NOTHING_BEYOND, Int64Array, Progress, RecordBatch, TopicPartition
from streamproc.engine.tracker import AcknowledgementTracker

_NO_OFFSETS = np.empty(0, np.int64)


@dataclass(slots=True)
class Partition:
    """One owned partition.

    Attributes:
        index: its number in this process, used once: a partition that comes back gets another.
        source: which it is.
        id_prefix: ``topic/partition/``, the first part of its decisions' ids.
        tracker: how far it is done.
        leaving: True once it is about to be given up: what is fetched of it is handed back.
        skipping: True while the source jumps over a part of it.
        timestamp_off_ns: what its records' timestamps have more than our timeline.
        covered: how far its records' outcomes are handed over, final or not; None where outcomes are final one by
            one, and not by transactions.
        beyond: int64 [n], offsets of records that were done before they became ours, ascending.
        frozen: True once nothing more may be said of it.
        begun: what was stored of it when it became ours.
        taken_back: events that were fetched and will get no outcome here.
    """

    index: int
    source: TopicPartition
    id_prefix: str
    tracker: AcknowledgementTracker
    leaving: bool = False
    skipping: bool = False
    timestamp_off_ns: int = 0
    covered: AcknowledgementTracker | None = None
    beyond: Int64Array = field(default_factory=_NO_OFFSETS.copy)
    frozen: bool = False
    begun: Progress = field(default_factory=lambda: Progress(0, _NO_OFFSETS))
    taken_back: int = 0
    _seen: int = -1

    def undone(self, batch: RecordBatch) -> RecordBatch:
        """Those of the fetched records that were not done before."""
        if not len(self.beyond):
            return batch
        done = np.isin(batch.offset, self.beyond, assume_unique=True)
        return batch.take(np.flatnonzero(~done)) if done.any() else batch

    def by_done(self, batch: RecordBatch) -> list[tuple[RecordBatch, bool]]:
        """The fetched records in their order, those that were done before apart from the others."""
        done = batch.offset < self.begun.position
        if len(self.beyond):
            done |= np.isin(batch.offset, self.beyond, assume_unique=True)
        cuts = [0, *(np.flatnonzero(done[1:] != done[:-1]) + 1).tolist(), len(batch)]
        if len(cuts) == 2:  # noqa: PLR2004 - all are alike
            return [(batch, bool(done.any()))]
        return [(batch.take(np.arange(a, b)), bool(done[a])) for a, b in pairwise(cuts)]

    def seen(self, position: int) -> None:
        """Records up to this position were fetched, done before or not."""
        self._seen = max(self._seen, position)

    @property
    def restoring(self) -> bool:
        """Whether records before the place where it was taken over are still being fetched."""
        return self._seen < self.begun.position

    def fetched(self, offset: Int64Array, end_position: int) -> int:
        """Records were fetched; see ``AcknowledgementTracker``."""
        if self.covered is not None:
            self.covered.fetched(offset, end_position)
        return self.tracker.fetched(offset, end_position)

    @property
    def open_total(self) -> int:
        """How many events are to get their outcome here and have none yet."""
        return self.tracker.open_total - self.taken_back

    def holds(self, ordinal: int, events: Int64Array) -> None:
        """Records hold several events; see ``AcknowledgementTracker``."""
        if self.covered is not None:
            self.covered.holds(ordinal, events)
        self.tracker.holds(ordinal, events)

    def moved(self, end_position: int) -> None:
        """The consumer's position moved over what holds no records."""
        if self.covered is not None:
            self.covered.moved(end_position)
        self.tracker.moved(end_position)
        self.seen(end_position)

    def progress(self) -> Progress:
        """What is to be stored with the outcomes that were handed over until now."""
        reached = self.covered or self.tracker
        position = reached.position
        self.beyond = self.beyond[self.beyond >= position]
        return Progress(position, np.union1d(self.beyond, reached.beyond))


class PartitionTable:
    """Owned partitions, by name and by index.

    Args:
        transactional: True where outcomes become final by transactions.
    """

    def __init__(self, *, transactional: bool = False) -> None:
        self._transactional = transactional
        self._by_source: dict[TopicPartition, Partition] = {}
        self._by_index: dict[int, Partition] = {}
        self._next_index = 0
        self._committed: dict[TopicPartition, int] = {}

    def assign(
        self,
        positions: Mapping[TopicPartition, int],
        beyond: Mapping[TopicPartition, Int64Array] = NOTHING_BEYOND,
    ) -> None:
        """These are ours now, read from these positions; what lies beyond them and is done is passed over."""
        for source, position in positions.items():
            prefix = f"{source.topic}/{source.partition}/"
            partition = Partition(
                self._next_index,
                source,
                prefix,
                AcknowledgementTracker(position),
                covered=AcknowledgementTracker(position) if self._transactional else None,
                beyond=(done := beyond.get(source, _NO_OFFSETS)),
                begun=Progress(position, done),
            )
            self._next_index += 1
            self._by_source[source] = self._by_index[partition.index] = partition
            self._committed[source] = position

    def release(self, sources: Collection[TopicPartition]) -> list[Partition]:
        """These are ours no longer."""
        released = [self._by_source.pop(s) for s in sources if s in self._by_source]
        for partition in released:
            del self._by_index[partition.index], self._committed[partition.source]
        return released

    def find(self, source: TopicPartition) -> Partition | None:
        """An owned partition by name."""
        return self._by_source.get(source)

    def at(self, index: int) -> Partition | None:
        """An owned partition by index; None when it was given up since."""
        return self._by_index.get(index)

    def taking(self, index: int) -> Partition | None:
        """An owned partition by index; None when it was given up since, or nothing more may be said of it."""
        partition = self._by_index.get(index)
        return None if partition is None or partition.frozen else partition

    def owned(self) -> Collection[TopicPartition]:
        """The names of all of them."""
        return self._by_source.keys()

    def all(self) -> Collection[Partition]:
        """All of them."""
        return self._by_source.values()

    def positions_to_commit(self) -> dict[TopicPartition, int]:
        """The positions that moved since the last ``committed``."""
        moved = {}
        for source, partition in self._by_source.items():
            position = partition.tracker.position
            if position != self._committed[source]:
                moved[source] = position
        return moved

    def stored(self, source: TopicPartition) -> int:
        """The position of an owned partition that is stored."""
        return self._committed[source]

    def committed(self, positions: Mapping[TopicPartition, int]) -> None:
        """These positions are stored."""
        for source, position in positions.items():
            if source in self._committed:
                self._committed[source] = position

    @property
    def open_total(self) -> int:
        """Records fetched that have no outcome yet."""
        return sum(partition.open_total for partition in self._by_source.values())

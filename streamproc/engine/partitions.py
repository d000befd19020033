"""The partitions that are this process's, and how far each is done."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from streamproc.core import TopicPartition
from streamproc.engine.tracker import AcknowledgementTracker


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
    """

    index: int
    source: TopicPartition
    id_prefix: str
    tracker: AcknowledgementTracker
    leaving: bool = False
    skipping: bool = False
    timestamp_off_ns: int = 0


class PartitionTable:
    """Owned partitions, by name and by index."""

    def __init__(self) -> None:
        self._by_source: dict[TopicPartition, Partition] = {}
        self._by_index: dict[int, Partition] = {}
        self._next_index = 0
        self._committed: dict[TopicPartition, int] = {}

    def assign(self, positions: Mapping[TopicPartition, int]) -> None:
        """These are ours now, read from these positions."""
        for source, position in positions.items():
            prefix = f"{source.topic}/{source.partition}/"
            partition = Partition(
                self._next_index, source, prefix, AcknowledgementTracker(position)
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

    def owned(self) -> Collection[TopicPartition]:
        """The names of all of them."""
        return self._by_source.keys()

    def positions_to_commit(self) -> dict[TopicPartition, int]:
        """The positions that moved since the last ``committed``."""
        moved = {}
        for source, partition in self._by_source.items():
            position = partition.tracker.position
            if position != self._committed[source]:
                moved[source] = position
        return moved

    def committed(self, positions: Mapping[TopicPartition, int]) -> None:
        """These positions are stored."""
        for source, position in positions.items():
            if source in self._committed:
                self._committed[source] = position

    @property
    def open_total(self) -> int:
        """Records fetched that have no outcome yet."""
        return sum(partition.tracker.open_total for partition in self._by_source.values())

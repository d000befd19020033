"""The transaction that is open: what was handed over since the last commit, and how far it covers the inputs.

A transaction may be committed at any instant, not only where everything before is done: shed events and those of
lanes in front end early. What lies behind the position and is done is stored with it (``Progress.beyond``), and
passed over by whoever reads on from there.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from streamproc.core import OutRecords, Progress, TopicPartition
from streamproc.engine.ledger import Ledger
from streamproc.engine.partitions import Partition, PartitionTable
from streamproc.engine.settled import Settled
from streamproc.engine.settlement import Settlement


@dataclass(frozen=True, slots=True)
class Cut:
    """What one transaction covers; with what was sent until then, and nothing that is sent later.

    Attributes:
        progress: of the partitions of which something is done since the last commit.
        concluded: outcomes of which no record is sent.
    """

    progress: Mapping[TopicPartition, Progress]
    concluded: Sequence[Settled]


class OpenTransaction:
    """Says what is to be committed, and makes it final.

    Args:
        partitions: the owned partitions.
        settlement: holds the outcomes.
        ledger: what is published of them beside; None where nothing is.
    """

    def __init__(
        self, partitions: PartitionTable, settlement: Settlement, ledger: Ledger | None = None
    ) -> None:
        self._partitions = partitions
        self._settlement = settlement
        self._ledger = ledger
        self._stored: dict[int, Progress] = {}
        """By the partition's index, which is used once."""

    @property
    def has_outcomes(self) -> bool:
        """Whether any outcome waits for the commit."""
        return self._settlement.uncommitted

    def progress(self) -> dict[TopicPartition, Progress]:
        """How far the partitions are done, of those that moved since the last commit."""
        return {
            partition.source: now
            for partition in self._partitions.all()
            if self._moved(partition, now := partition.progress())
        }

    def ledger(self, progress: Mapping[TopicPartition, Progress]) -> list[OutRecords]:
        """The ledger's records that are to be sent before ``cut``, with what ``progress`` gave at this instant."""
        if self._ledger is None:
            return []
        positions = {source: one.position for source, one in progress.items()}
        return self._ledger.records(positions, whole=True)

    def cut(self, progress: Mapping[TopicPartition, Progress]) -> Cut:
        """End the transaction here: what is handed over from now on belongs to the next one.

        Nothing that the engine asked to send may be on its way to the sink.

        Args:
            progress: what ``progress`` gave at this instant.
        """
        return Cut(progress, self._settlement.take_concluded())

    def committed(self, cut: Cut, committed_ns: int) -> None:
        """It is published, and the progress stored: the outcomes without a record are final, too."""
        for settled in cut.concluded:
            self._settlement.settle(settled, committed_ns)
        for source, progress in cut.progress.items():
            partition = self._partitions.find(source)
            if partition is not None:
                self._stored[partition.index] = progress
        owned = {partition.index for partition in self._partitions.all()}
        self._stored = {index: at for index, at in self._stored.items() if index in owned}

    def freeze(self, sources: Collection[TopicPartition]) -> None:
        """Say nothing more of these partitions: what of them is not handed over yet will be handed back."""
        for source in sources:
            partition = self._partitions.find(source)
            if partition is not None:
                partition.frozen = True

    def _moved(self, partition: Partition, now: Progress) -> bool:
        stored = self._stored.get(partition.index)
        if stored is None:
            stored = self._stored[partition.index] = partition.begun
        return now.position != stored.position or len(now.beyond) != len(stored.beyond)

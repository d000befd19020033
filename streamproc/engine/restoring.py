"""What features remember of keys, read again after an assignment, before deciding goes on."""

from collections.abc import Iterator

from streamproc.core import Clock, RecordBatch
from streamproc.engine.intake import Intake
from streamproc.engine.partitions import Partition, PartitionTable
from streamproc.telemetry import Accounts


class Restoring:
    """Gives the features what was done before, and counts the time that it takes.

    Args:
        clock: the time.
        intake: makes the features.
        partitions: the owned partitions.
        accounts: the books.

    Attributes:
        wanted: set where records are fetched again from before the place where deciding begins.
        took_ns: how long that took after the last assignment.
    """

    def __init__(
        self, clock: Clock, intake: Intake, partitions: PartitionTable, accounts: Accounts
    ) -> None:
        self._clock = clock
        self._intake = intake
        self._partitions = partitions
        self._accounts = accounts
        self._assigned_ns: int | None = None
        self.wanted = False
        self.took_ns = 0

    @property
    def under_way(self) -> bool:
        """Whether what is remembered of a partition's keys is still being read again."""
        return self.wanted and any(p.restoring for p in self._partitions.all())

    def assigned(self) -> None:
        """Partitions have become ours."""
        if self.wanted:
            self._assigned_ns = self._clock.now_ns()

    def undone(self, partition: Partition, batch: RecordBatch) -> Iterator[RecordBatch]:
        """The fetched records that are to be decided; those that were done before are remembered on the way."""
        partition.seen(batch.end_position)
        for part, done in partition.by_done(batch):
            if done:
                self._accounts.restored += len(part)
                self._intake.restore(part, partition.index)
            else:
                yield part
        if self._assigned_ns is not None and not self.under_way:
            # Not by the clock: when that is so depends on what the consumer says of empty partitions, too, and
            # that is in no schedule log.
            self.took_ns = max(0, batch.arrival_ns - self._assigned_ns)
            self._assigned_ns = None

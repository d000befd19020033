"""What features remember of keys, read again after an assignment, before deciding goes on."""

from collections.abc import Iterator

from streamproc.core import Clock, Columns, RecordBatch
from streamproc.engine.effects import Infer
from streamproc.engine.intake import Intake
from streamproc.engine.partitions import Partition, PartitionTable
from streamproc.engine.rescue import Rescued
from streamproc.engine.stateful import StatefulModel
from streamproc.telemetry import Accounts


class Restoring:
    """Gives the features what was done before, and counts the time that it takes.

    Args:
        clock: the time.
        intake: makes the features.
        partitions: the owned partitions.
        accounts: the books.
        stateful: what is kept for a model that carries state, which is run over it again; None for one that does not.

    Attributes:
        wanted: set where records are fetched again from before the place where deciding begins.
        took_ns: how long that took after the last assignment.
    """

    def __init__(
        self,
        clock: Clock,
        intake: Intake,
        partitions: PartitionTable,
        accounts: Accounts,
        stateful: StatefulModel | None = None,
    ) -> None:
        self._clock = clock
        self._intake = intake
        self._partitions = partitions
        self._accounts = accounts
        self._stateful = stateful
        self._assigned_ns: int | None = None
        self.wanted = False
        self.took_ns = 0

    @property
    def under_way(self) -> bool:
        """Whether what is remembered of a partition's keys is still being read again."""
        if self.run_again_total:
            return True
        return self.wanted and any(p.restoring for p in self._partitions.all())

    @property
    def run_again_total(self) -> int:
        """Events that were decided about before, and wait for the model to be run over them again."""
        return 0 if self._stateful is None else self._stateful.restoring

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
                self._remember(part, partition.index)
            else:
                yield part
        # Not by the clock: when that is so depends on what the consumer says of empty partitions, too, and that is in
        # no schedule log.
        self._look(batch.arrival_ns)

    def runs(self, size_max: int) -> list[Infer]:
        """The next run over events that were decided about before; see ``StatefulModel.begin_again``."""
        return [] if self._stateful is None else self._stateful.begin_again(size_max)

    def ended(self, run: int, outputs: Columns | Exception | Rescued, finished_ns: int) -> bool:
        """Whether that was a run over events that were decided about before."""
        if self._stateful is None or not self._stateful.ended_again(run, outputs):
            return False
        self._look(finished_ns)
        return True

    def _remember(self, batch: RecordBatch, partition: int) -> None:
        stateful = self._stateful
        for events in self._intake.restore(batch, partition, featured=stateful is not None):
            if stateful is not None:
                stateful.admit_again(events, self._intake.times.said_by(events))

    def _look(self, now_ns: int) -> None:
        """See whether all of it is there by now."""
        if self._assigned_ns is not None and not self.under_way:
            self.took_ns = max(0, now_ns - self._assigned_ns)
            self._assigned_ns = None

"""A source that reads the broker in memory, with all that a Kafka consumer does to its user."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from streamproc.core import (
    NS_PER_S,
    AssignmentListener,
    Clock,
    ConfigError,
    ExternalError,
    Int64Array,
    Jump,
    Problem,
    Recall,
    RecordBatch,
    TopicPartition,
)
from streamproc.testing.broker import MemoryBroker, StoredRecord

Positions: TypeAlias = Mapping[TopicPartition, int]
_END_WAIT_S = 0.001
"""How long ``poll`` waits at the end of what will ever come: it need not, but must not spin either."""


class MemorySource:
    """Reads topics of a ``MemoryBroker`` as a member of a group; implements ``core.Source``.

    When another member joins or leaves, all partitions are given up and shared out anew. ``revoke`` and
    ``assign`` do the same on demand.

    Args:
        broker: holds the records.
        topics: the topics to read.
        group: whose committed positions count.
        clock: for the instant of arrival; the broker's by default.
        start: where to begin without a committed position, which is then committed.
        partitions: read only these, outside of the group's sharing.
        ends: True where nothing more will come than the broker holds: ``exhausted`` then tells the end.

    Attributes:
        skipped_total: records that were gone before they could be read.
        paused: True between ``pause`` and ``resume``.
        rewind_ns: see ``Rewinding``.
        together: whether partitions of one number share what is remembered.
        withheld: see ``Selective``.
        recall: see ``Recalling``.
        recall_now: the same for what drives it without a loop.
        begun: the position that was told of each owned partition.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        topics: Sequence[str],
        *,
        group: str = "test",
        clock: Clock | None = None,
        start: Literal["earliest", "latest"] = "earliest",
        partitions: Collection[TopicPartition] | None = None,
        ends: bool = False,
    ) -> None:
        self._broker = broker
        self._topics = list(topics)
        self._group = broker.group(group)
        self._clock = clock or broker.clock
        self._start = start
        self._by_hand = partitions
        self._ends = ends
        self._listener: AssignmentListener | None = None
        self._position: dict[TopicPartition, int] = {}
        self._turn = 0
        self._wake = asyncio.Event()
        self._poll_error: Exception | None = None
        self._commit_errors: list[Exception] = []
        self.paused = False
        self.skipped_total = 0
        self.rewind_ns = 0
        self.together = False
        self.withheld: Collection[TopicPartition] = ()
        self.recall: Recall | None = None
        self.recall_now: Callable[[Positions], Positions] | None = None
        self.begun: dict[TopicPartition, int] = {}
        broker.watch(self._wake.set)

    @property
    def subscribed(self) -> list[TopicPartition]:
        """The partitions of its topics."""
        return [source for topic in self._topics for source in self._broker.partitions(topic)]

    @property
    def owned(self) -> list[TopicPartition]:
        """The partitions that are its own at this moment."""
        return list(self._position)

    async def start(self, listener: AssignmentListener) -> None:
        """Join the group; see ``Source``."""
        missing = [topic for topic in self._topics if not self._broker.has_topic(topic)]
        if missing:
            msg = f"topic {', '.join(missing)} does not exist"
            raise ConfigError(Problem(msg, "source.kafka.topics"))
        self._listener = listener
        self._settle_start()
        if self._by_hand is not None:
            await self.assign(self._by_hand)
        else:
            await self._group.join(self)

    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        """The next records; see ``Source``."""
        self._started()
        at_end = self._ends and self.exhausted()
        wait_s = min(timeout_ns / NS_PER_S, _END_WAIT_S if at_end else timeout_ns / NS_PER_S)
        try:
            async with asyncio.timeout(wait_s):
                while True:
                    self._wake.clear()
                    batches = self.take(records_max)
                    if batches:
                        return batches
                    await self._wake.wait()
        except TimeoutError:
            return []

    def take(self, records_max: int) -> list[RecordBatch]:
        """What ``poll`` would give at this moment, without waiting; for what drives it without a loop."""
        if self._poll_error is not None:
            raise self._poll_error
        batches: list[RecordBatch] = []
        if self.paused or not self._position:
            return batches
        order = list(self._position)
        self._turn = (self._turn + 1) % len(order)
        for source in order[self._turn :] + order[: self._turn]:
            if source in self.withheld:
                continue
            self._pass_retention(source)
            position = self._position[source]
            records = self._broker.read(source, position, records_max)
            behind = records[-1].offset + 1 if records else position
            self._position[source] = self._broker.next_position(source, behind)
            if records:
                batches.append(self._columns(source, records))
                records_max -= len(records)
        return batches

    def pause(self) -> None:
        """Give nothing until ``resume``; see ``Source``."""
        self.paused = True

    def resume(self) -> None:
        """Give records again; see ``Source``."""
        self.paused = False
        self._wake.set()

    async def positions(self) -> dict[TopicPartition, int]:
        """The positions behind the last records given; see ``Source``."""
        return self.positions_now()

    def positions_now(self) -> dict[TopicPartition, int]:
        """The same, for what drives it without a loop."""
        return dict(self._position)

    def lag(self) -> dict[TopicPartition, int]:
        """Records (offsets) still to be fetched; see ``Source``."""
        return {
            source: max(0, self._broker.end_position(source) - position)
            for source, position in self._position.items()
        }

    async def skip_to(self, source: TopicPartition, timestamp_ns: int) -> Jump | None:
        """Read on from the first record that is as young; see ``Source``."""
        return self.skip_now(source, timestamp_ns)

    def skip_now(self, source: TopicPartition, timestamp_ns: int) -> Jump | None:
        """The same, for what drives it without a loop."""
        start = self._position.get(source)
        if start is None:
            return None
        end = self._broker.position_at(source, timestamp_ns)
        if end <= start:
            return None
        self._position[source] = end
        return Jump(start, end)

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Store positions of owned partitions; see ``Source``."""
        if self._commit_errors:
            raise self._commit_errors.pop(0)
        self._group.committed.update({s: p for s, p in positions.items() if s in self._position})

    def exhausted(self) -> bool:
        """True at the end of the log where nothing more will come; see ``Source``."""
        return self._ends and all(
            self._broker.next_position(s, p) == self._broker.end_position(s)
            for s, p in self._position.items()
        )

    async def stop(self) -> None:
        """Leave the group; see ``Source``. As with Kafka's consumer the listener is not told."""
        self._listener = None
        self._position.clear()
        await self._group.leave(self)

    async def revoke(self, partitions: Collection[TopicPartition]) -> None:
        """Take partitions away, as a rebalance does: the listener finishes, its positions are stored."""
        gone = [source for source in partitions if source in self._position]
        if gone and self._listener is not None:
            positions = await self._listener.revoked(gone)
            await self.commit(positions)
        self.drop(gone)

    async def assign(self, partitions: Collection[TopicPartition]) -> None:
        """Give partitions to this member, from the group's committed positions."""
        starts = None if self.recall is None else await self.recall(self._settled(partitions))
        positions = self.acquire(partitions, starts)
        if positions and self._listener is not None:
            self._listener.assigned(positions, self.done_beyond(positions))

    async def rewind(self, partitions: Collection[TopicPartition]) -> None:
        """Read partitions again from what is stored; see ``TransactionalSource``."""
        await self.assign([source for source in partitions if source in self._position])

    def done_beyond(
        self, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, Int64Array]:
        """What the group has stored as done behind the positions; see ``Progress``."""
        beyond = self._group.beyond
        return {source: beyond[source] for source in partitions if source in beyond}

    def acquire(
        self, partitions: Collection[TopicPartition], starts: Positions | None = None
    ) -> dict[TopicPartition, int]:
        """Take partitions over without telling the listener; gives the positions they are read from.

        Args:
            partitions: which.
            starts: where what was recalled of them ends, at or before those positions; None where nothing was.
        """
        taken = self._settled(partitions)
        if starts is None:
            starts = taken if self.recall_now is None else self.recall_now(taken)
        self.begun.update(taken)
        made_ns = {source: self._made_ns(source, at) for source, at in taken.items()}
        if self.together:
            made_ns = {source: self._shared_ns(source, taken) for source in taken}
        self._position.update(
            {s: min(starts[s], self._rewound(s, at, made_ns[s])) for s, at in taken.items()}
        )
        self._wake.set()
        return taken

    def _settled(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        self._settle_start()
        committed = self._group.committed
        return {
            source: committed.setdefault(source, self._broker.start_position(source))
            for source in partitions
        }

    def _rewound(self, source: TopicPartition, position: int, made_ns: int | None) -> int:
        """Where to begin, so that what features remember comes back."""
        if made_ns is None:
            return position
        return min(position, self._broker.position_at(source, made_ns - self.rewind_ns))

    def _made_ns(self, source: TopicPartition, position: int) -> int | None:
        """When the last record before a position was made; None where none is asked for."""
        before = self._broker.read(source, max(0, position - 1), 1) if self.rewind_ns else []
        return before[0].timestamp_ns if before else None

    def _shared_ns(self, source: TopicPartition, taken: Mapping[TopicPartition, int]) -> int | None:
        """The same of all partitions of a number; see the Kafka source's ``rewound``."""
        same = {other: at for other, at in taken.items() if other.partition == source.partition}
        if not self.rewind_ns:
            return None
        firsts = [record for o, at in same.items() for record in self._broker.read(o, at, 1)]
        if firsts:
            return min(record.timestamp_ns for record in firsts)
        lasts = [self._made_ns(other, at) for other, at in same.items()]
        return max((ns for ns in lasts if ns is not None), default=None)

    def drop(self, partitions: Collection[TopicPartition]) -> None:
        """Let go of partitions without telling the listener."""
        for source in partitions:
            self._position.pop(source, None)

    def fail_polls(self, error: Exception | None) -> None:
        """Make every ``poll`` raise this from now on; None ends it."""
        self._poll_error = error
        self._wake.set()

    def fail_commits(self, error: Exception, *, times: int = 1) -> None:
        """Make the next commits raise this."""
        self._commit_errors += [error] * times

    def _started(self) -> None:
        if self._listener is None:
            msg = "the source is not started"
            raise ExternalError(msg)

    def _settle_start(self) -> None:
        """Commit a place to begin while the group has none; a partition added later begins at its first."""
        committed = self._group.committed
        if not any(source in committed for source in self.subscribed):
            begin = (
                self._broker.start_position
                if self._start == "earliest"
                else self._broker.end_position
            )
            committed.update({source: begin(source) for source in self.subscribed})

    def _pass_retention(self, source: TopicPartition) -> None:
        first = self._broker.start_position(source)
        if self._position[source] < first:
            self.skipped_total += first - self._position[source]
            self._position[source] = first

    def _columns(self, source: TopicPartition, records: list[StoredRecord]) -> RecordBatch:
        return RecordBatch(
            source=source,
            offset=np.array([r.offset for r in records], np.int64),
            timestamp_ns=np.array([r.timestamp_ns for r in records], np.int64),
            key=[r.key for r in records],
            value=[r.value for r in records],
            headers={row: r.headers for row, r in enumerate(records) if r.headers},
            arrival_ns=self._clock.now_ns(),
            end_position=self._position[source],
            behind=max(0, self._broker.end_position(source) - self._position[source]),
        )

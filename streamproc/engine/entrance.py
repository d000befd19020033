"""Records and requests from their coming in until they wait for their runs."""

from collections.abc import Sequence

import numpy as np

from streamproc.core import Columns, EventBatch, InvariantError, RecordBatch, TopicPartition
from streamproc.engine.effects import Effect
from streamproc.engine.partitions import Partition
from streamproc.engine.parts import EngineParts
from streamproc.engine.pending import PendingEvents
from streamproc.engine.read_so_far import ReadSoFar
from streamproc.engine.requests import REQUESTS, Done
from streamproc.engine.undecided import Undecided
from streamproc.scheduling import Offered


class Entrance:
    """Screens, decodes and numbers what comes in, and offers it to the scheduler.

    Args:
        parts: what the engine is made of.
        pending: where events wait for their runs.
        undecided: concludes what is not decided.

    Attributes:
        read: how far each partition was read.
        events_total: how many events came in, which is the number of the next one.
    """

    def __init__(self, parts: EngineParts, pending: PendingEvents, undecided: Undecided) -> None:
        self._clock = parts.clock
        self._intake = parts.intake
        self._screen = parts.screen
        self._offering = parts.offering
        self._scheduler = parts.scheduler
        self._partitions = parts.partitions
        self._accounts = parts.accounts
        self._rollout = parts.rollout
        self._stateful = parts.stateful
        self._requests = parts.requests
        self._pending = pending
        self._undecided = undecided
        self.read = ReadSoFar()
        self.events_total = 0

    def take_in(self, partition: Partition | None, batch: RecordBatch) -> list[Effect]:
        """Take fetched records in: they are shed, become dead letters, or wait for their run."""
        count = len(batch)
        self._accounts.fetched += count
        if partition is None or partition.leaving:
            self._accounts.handed_back += count
            return []
        ordinal = partition.fetched(batch.offset, batch.end_position)
        if not count:
            return []
        self.read.fetched(batch)
        times = self._intake.times.of_records(batch)
        screened = self._screen.look(partition, batch, times, self._clock.now_ns())
        effects: list[Effect] = []
        for reason, record in screened.shed:
            effects += self._undecided.records(partition, batch, record, ordinal, reason)
        if screened.rows is not None and not screened.rows.any():
            self._account_times()
            return effects
        admitted = self._intake.admit(
            batch,
            times,
            ordinal=ordinal,
            number=self.events_total,
            partition=partition.index,
            rows=screened.rows,
        )
        if admitted.held is not None:
            held = int(admitted.held.sum())
            self._accounts.fetched += held - count
            partition.holds(ordinal, admitted.held)
        self._account_times()
        now_ns = self._clock.now_ns()
        for part in admitted.events:
            self.offer(batch.source, part, partition, now_ns)
            self._accounts.stage_constant("decode", now_ns - batch.arrival_ns, len(part))
        if admitted.rejected:
            effects += self._undecided.rejected(partition, batch, admitted.rejected, ordinal)
        for events, outcome, reason, _ in admitted.undecided:
            effects += self._undecided.events(events, reason, outcome)
        return effects

    def offer(
        self, source: TopicPartition, events: EventBatch, partition: Partition, now_ns: int
    ) -> None:
        """Take in events of one partition that are to be decided."""
        self.events_total = int(events.number[-1]) + 1
        self.wait(self._rollout.assign(events.waiting_since(now_ns), source), partition, now_ns)
        self.read.decoded(source, int(events.event_time_ns[-1]))
        self._accounts.stage("broker", events.arrival_ns - events.event_time_ns)

    def wait(self, events: EventBatch, partition: Partition, now_ns: int) -> None:
        """Let events of one partition wait for their runs."""
        self._pending.add(events)
        offered = self._offering.of(events, partition.index)
        if self._stateful is None:
            self._scheduler.offer(offered, now_ns)
        else:
            self._stateful.admit(events, self._intake.times.said_by(events), offered)

    def take_again(self, parts: Sequence[EventBatch], now_ns: int) -> None:
        """Let events wait once more, under new numbers: what they waited for before has gone."""
        for events in parts:
            partition = self._partitions.at(int(events.partition[0]))
            if partition is not None:  # else it was handed back
                self.wait(events.renumbered(self.events_total), partition, now_ns)
                self.events_total += len(events)

    def ask(self, inputs: Columns, *, deadline_ns: int, now_ns: int, done: Done) -> None:
        """Take a request of the front door in; ``Engine.next_effects`` is to be asked then.

        Args:
            inputs: the model's, by name, each [rows, ...].
            deadline_ns: when it must be answered.
            now_ns: the present instant.
            done: is told what became of it, once.

        Raises:
            InvariantError: the front door is closed.
        """
        if self._requests is None:
            msg = "a request before a closed front door"
            raise InvariantError(msg)
        rows = self._requests.add(
            self.events_total, inputs, deadline_ns=deadline_ns, now_ns=now_ns, done=done
        )
        self.events_total += len(rows)
        self._pending.add(rows)
        lane = np.full(len(rows), self._requests.lane)
        offered = Offered(rows.number, rows.deadline_ns, REQUESTS, lane=lane, key=~rows.number)
        self._scheduler.offer(offered, now_ns)

    def _account_times(self) -> None:
        self._accounts.wrong_event_times = self._intake.times.wrong_total
        self._accounts.unread_deadlines = self._intake.times.unread_total

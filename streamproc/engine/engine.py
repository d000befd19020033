"""The engine: decode, features, schedule, decide, encode as one synchronous object.

Bytes and times go in, effects come out: run this, send that, commit here. It holds no connection and
starts nothing; the service, the tests and the player drive the same one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

from streamproc.codecs import DecisionEncoder
from streamproc.core import (
    NOTHING_BEYOND,
    Columns,
    EventBatch,
    Int64Array,
    InvariantError,
    Jump,
    Reason,
    RecordBatch,
    TopicPartition,
)
from streamproc.engine.conclude import Ran
from streamproc.engine.effects import Effect, Infer, Send, Skip
from streamproc.engine.in_flight import Finished, InFlight, batch_run
from streamproc.engine.partitions import Partition
from streamproc.engine.parts import EngineParts
from streamproc.engine.pending import PendingEvents
from streamproc.engine.read_so_far import ReadSoFar
from streamproc.engine.requests import REQUESTS, Done, apart, none_of, split, with_rows
from streamproc.engine.rescue import Rescued, parts_of
from streamproc.engine.restoring import Restoring
from streamproc.engine.rollout import usable
from streamproc.engine.rollout_plan import RolloutPlan
from streamproc.engine.stopping import was_stopped
from streamproc.engine.turns import Turns
from streamproc.engine.undecided import Undecided
from streamproc.scheduling import Idle, Offered, Reload, Run, SkipTo, Step, WaitUntil

if TYPE_CHECKING:
    from streamproc.engine.changelog import Changelog


class Engine:
    """One pipeline's way of the data.

    Args:
        parts: what it is made of.
        batch_room: the largest micro-batch.
        keep_order: whether results leave in the order in which their runs were started.

    Attributes:
        draining: set when nothing more will be taken in, so that nothing is waited for.
        read: how far each partition was read.
        withheld: partitions of which records were polled and not yet given to the engine: what the source says of
            their positions is not believed.
        restore: brings back what features and the model remember, where records are fetched again for it.
        rollout: the models that are tried beside the one that decides.
        changelog: takes what is remembered of keys; None where nobody does.
        stateful: what is kept for a model that carries state; None for one that does not.
        requests: of the front door; None where it is closed.
        wake_ns: when ``next_effects`` is to be asked again although nothing has happened; None for never.
    """

    def __init__(self, parts: EngineParts, *, batch_room: int, keep_order: bool) -> None:
        self._clock = parts.clock
        self._intake = parts.intake
        self._screen = parts.screen
        self._offering = parts.offering
        self._scheduler = parts.scheduler
        self._concluder = parts.concluder
        self._settlement = parts.settlement
        self._partitions = parts.partitions
        self._accounts = parts.accounts
        self.stateful = parts.stateful
        self._escalation = parts.escalation
        self._stopping = parts.stopping
        self.requests = parts.requests
        self._batch_room = batch_room
        self._undecided = Undecided(parts.concluder, lanes=len(parts.accounts.lanes))
        self._pending = PendingEvents()
        self.read = ReadSoFar()
        self._effects: list[Effect] = []
        self._turns = Turns(keep_order=keep_order)
        self._events_total = 0
        self._leaving_total = 0
        self.draining = False
        self.withheld: Collection[TopicPartition] = ()
        self.rollout = parts.rollout
        self._concluder.watch = self.rollout.decided
        self._settlement.arms = self.rollout.ended
        self.restore = Restoring(
            parts.clock, parts.intake, parts.partitions, parts.accounts, parts.stateful
        )
        self.changelog: Changelog | None = None
        self.wake_ns: int | None = None

    @property
    def queue_depth(self) -> int:
        """Events that wait for a run."""
        return self._scheduler.queue_depth

    @property
    def queue_depths(self) -> list[int]:
        """The same by lane."""
        return self._scheduler.queue_depths[: len(self._accounts.lanes)]

    @property
    def variant(self) -> int:
        """The variant of the model that the next batch would be run by, 0 being the best."""
        return self._scheduler.variant

    def demand_workers(self, now_ns: int) -> float:
        """How many workers like this one would meet the objective for what is offered."""
        return self._scheduler.demand_workers(now_ns)

    @property
    def open_total(self) -> int:
        """Records that were fetched and have no final outcome yet."""
        return self._partitions.open_total

    def skews_ns(self) -> dict[str, int]:
        """By source, how far its clock is behind ours in ns, where it is known; negative is ahead."""
        return self._intake.times.skews_ns()

    def assigned(
        self,
        positions: Mapping[TopicPartition, int],
        beyond: Mapping[TopicPartition, Int64Array] = NOTHING_BEYOND,
    ) -> None:
        """These partitions are ours from now on; see ``AssignmentListener``."""
        self._partitions.assign(positions, beyond)
        if self.changelog is not None:
            for partition in filter(None, map(self._partitions.find, positions)):
                self.changelog.begin(partition)
        self.restore.assigned()
        order = self._intake.order
        if order is not None:
            for partition in filter(None, map(self._partitions.find, positions)):
                order.assigned(partition.source, partition.index, self._clock.now_ns())

    @property
    def owns_partitions(self) -> bool:
        """Whether any partition is ours."""
        return bool(self._partitions.owned())

    def owned(self) -> list[TopicPartition]:
        """The partitions that are ours."""
        return list(self._partitions.owned())

    def assignment(self, source: TopicPartition) -> int | None:
        """Which assignment of a partition this is: another number each time that it becomes ours; None while it is not."""
        partition = self._partitions.find(source)
        return None if partition is None else partition.index

    def leave(self, sources: Collection[TopicPartition]) -> None:
        """Take in nothing more of these partitions; what was taken in goes on until ``release``."""
        for source in sources:
            partition = self._partitions.find(source)
            if partition is not None and not partition.leaving:
                partition.leaving = True
                self._leaving_total += 1
        self._take_back(sources)

    def open_in(self, sources: Collection[TopicPartition]) -> int:
        """Records of these partitions that were taken in and have no final outcome yet."""
        found = map(self._partitions.find, sources)
        return sum(partition.open_total for partition in found if partition)

    def release(self, sources: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Give partitions up; what of them has no outcome yet is handed back.

        Returns:
            the positions to commit for them.
        """
        positions = {}
        self.read.released(sources)
        for partition in self._partitions.release(sources):
            self._leaving_total -= partition.leaving
            if self.changelog is not None:
                self.changelog.forget(partition)
            positions[partition.source] = partition.tracker.position
            self._accounts.handed_back += partition.open_total
            self._intake.forget(partition.index)
            waiting = self._scheduler.withdraw(partition.index)
            self._pending.take(np.sort(waiting))
            if self._escalation is not None:
                self._escalation.drop(partition.index)
        return positions

    def release_all(self) -> None:
        """Give all partitions up, at the end."""
        self.release(list(self._partitions.owned()))

    def moved(self, positions: Mapping[TopicPartition, int]) -> None:
        """The source's positions; they may have moved over what holds no records."""
        for source, position in positions.items():
            partition = self._partitions.find(source)
            if partition is not None and not partition.leaving and source not in self.withheld:
                partition.moved(position)

    def take_back(self) -> None:
        """A transaction was aborted: what was to be sent is forgotten, and all partitions are given up."""
        self._effects = [effect for effect in self._effects if not isinstance(effect, Send)]
        self._settlement.forget()
        self.release_all()

    def take_effects(self) -> list[Effect]:
        """What is to be done by what happened before, and nothing new."""
        effects, self._effects = self._effects, []
        return effects

    def positions_to_commit(self) -> dict[TopicPartition, int]:
        """For each partition whose position moved: every record before it has its outcome."""
        return self._partitions.positions_to_commit()

    def committed(self, positions: Mapping[TopicPartition, int]) -> None:
        """These positions are stored."""
        self._partitions.committed(positions)

    def ingest(self, batch: RecordBatch) -> None:
        """Take fetched records in: they are shed, become dead letters, or wait for their run."""
        self._release(batch.arrival_ns)
        partition = self._partitions.find(batch.source)
        if partition is not None and (self._intake.remembers or self.stateful is not None):
            for part in self.restore.undone(partition, batch):
                self._take_in(partition, part)
            if self.changelog is not None and not partition.leaving:
                self.changelog.read_to(partition, batch.end_position, batch.arrival_ns)
            return
        self._take_in(partition, batch if partition is None else partition.undone(batch))

    def _take_in(self, partition: Partition | None, batch: RecordBatch) -> None:
        count = len(batch)
        self._accounts.fetched += count
        if partition is None or partition.leaving:
            self._accounts.handed_back += count
            return
        ordinal = partition.fetched(batch.offset, batch.end_position)
        if not count:
            return
        self.read.fetched(batch)
        times = self._intake.times.of_records(batch)
        screened = self._screen.look(partition, batch, times, self._clock.now_ns())
        for reason, record in screened.shed:
            self._effects += self._undecided.records(partition, batch, record, ordinal, reason)
        if screened.rows is not None and not screened.rows.any():
            self._account_times()
            return
        admitted = self._intake.admit(
            batch,
            times,
            ordinal=ordinal,
            number=self._events_total,
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
            self._offer(batch.source, part, partition, now_ns)
            self._accounts.stage_constant("decode", now_ns - batch.arrival_ns, len(part))
        if admitted.rejected:
            self._effects += self._undecided.rejected(partition, batch, admitted.rejected, ordinal)
        for events, outcome, reason, _ in admitted.undecided:
            self._effects += self._undecided.events(events, reason, outcome)

    def _offer(
        self, source: TopicPartition, events: EventBatch, partition: Partition, now_ns: int
    ) -> None:
        """Take in events of one partition that are to be decided."""
        self._events_total = int(events.number[-1]) + 1
        self._wait(self.rollout.assign(events.waiting_since(now_ns), source), partition, now_ns)
        self.read.decoded(source, int(events.event_time_ns[-1]))
        self._accounts.stage("broker", events.arrival_ns - events.event_time_ns)

    def _wait(self, events: EventBatch, partition: Partition, now_ns: int) -> None:
        """Let events of one partition wait for their runs."""
        self._pending.add(events)
        offered = self._offering.of(events, partition.index)
        if self.stateful is None:
            self._scheduler.offer(offered, now_ns)
        else:
            self.stateful.admit(events, self._intake.times.said_by(events), offered)

    def ask(self, inputs: Columns, *, deadline_ns: int, now_ns: int, done: Done) -> None:
        """Take a request of the front door in; ``next_effects`` is to be asked then.

        Args:
            inputs: the model's, by name, each [rows, ...].
            deadline_ns: when it must be answered.
            now_ns: the present instant.
            done: is told what became of it, once.

        Raises:
            InvariantError: the front door is closed.
        """
        if self.requests is None:
            msg = "a request before a closed front door"
            raise InvariantError(msg)
        rows = self.requests.add(
            self._events_total, inputs, deadline_ns=deadline_ns, now_ns=now_ns, done=done
        )
        self._events_total += len(rows)
        self._pending.add(rows)
        lane = np.full(len(rows), self.requests.lane)
        offered = Offered(rows.number, rows.deadline_ns, REQUESTS, lane=lane, key=~rows.number)
        self._scheduler.offer(offered, now_ns)

    @property
    def waiting_total(self) -> int:
        """Events that wait for those that happened before them."""
        return 0 if self._intake.order is None else self._intake.order.waiting_total

    @property
    def orders(self) -> bool:
        """Whether events wait for those that happened before them."""
        return self._intake.order is not None

    def ahead(self, now_ns: int) -> Collection[TopicPartition]:
        """Partitions that need not be read on, because those that share their keys are behind them."""
        return () if self._intake.order is None else self._intake.order.ahead(now_ns)

    def at_ends(self, sources: Collection[TopicPartition]) -> None:
        """These partitions alone were read to their ends, and nothing came of them until now.

        Where it is never called, a partition's last batch says it.
        """
        if self._intake.order is not None:
            self._intake.order.at_ends(sources, self._clock.now_ns())

    def _release(self, now_ns: int) -> None:
        """Let those events go on whose turn has come by an instant."""
        if self._intake.order is None:
            return
        if self.draining:
            self._take_back()
        released = self._intake.released(now_ns)
        for source, part in released.events:
            partition = self._partitions.find(source)
            if partition is not None:
                self._offer(source, part.renumbered(self._events_total), partition, now_ns)
                self._accounts.stage("decode", now_ns - part.arrival_ns)
        for end in released.undecided:
            self._effects += self._undecided.events(end.events, end.reason, end.outcome, end.detail)

    def _take_back(self, sources: Collection[TopicPartition] | None = None) -> None:
        """Hand back what waits for others to come, which will not come here; None for all."""
        if self._intake.order is None:
            return
        for index, count in self._intake.order.take_back(sources).items():
            partition = self._partitions.at(index)
            if partition is not None:
                partition.taken_back += count
                self._accounts.handed_back += count

    def next_effects(self, now_ns: int) -> list[Effect]:
        """What is to be done now: runs as long as executors are free, and all that is to be sent."""
        draining = self.draining or self._leaving_total > 0
        self._release(now_ns)
        for arm in self.rollout.look(self._turns, self._events_total, now_ns):
            self._retire(arm, now_ns)
        going_on = True
        while going_on:
            step = self._scheduler.next_action(now_ns, draining=draining)
            self._end_without_run(step, now_ns)
            match step.action:
                case Run() as run:
                    self._start(run, now_ns)
                case SkipTo() as skip:
                    self._skip(skip)
                case WaitUntil(instant_ns=instant_ns):
                    self.wake_ns = max(instant_ns, now_ns + 1)
                    going_on = False
                case Idle():
                    self.wake_ns = None
                    going_on = False
        if self._escalation is not None:
            self._effects += self._escalation.expire(now_ns)
            self.wake_ns = self._escalation.wakes_by(self.wake_ns)
        if self.rollout.active:
            self._effects += self.rollout.asides(self._turns, now_ns, self.wake_ns)
            self.wake_ns = self.rollout.wakes_by(self.wake_ns, self._turns)
        self._effects += self.restore.runs(self._batch_room)
        self._wake_for_order(now_ns)
        return self.take_effects()

    def _end_without_run(self, step: Step, now_ns: int) -> None:
        """What a step gives up, and what of a cascade has its last answer."""
        for shed in step.shed:
            for part in self._pending.take(shed.number):
                self._shed(part, shed.reason)
        if step.stand is not None and self._escalation is not None:
            self._effects += self._escalation.stand(step.stand, now_ns)

    def _shed(self, events: EventBatch, reason: Reason) -> None:
        if self.requests is not None and events.partition[0] == REQUESTS:
            self.requests.shed(events.number, str(reason))
        else:
            self._effects += self._undecided.events(events, reason)

    def _retire(self, arm: int, now_ns: int) -> None:
        """Let the model itself decide about all that another one has not decided."""
        under_way = [
            run.events.take(slice(start, stop, None))
            for run in self._turns.abandon(arm)
            for start, stop in pairwise(run.bounds)
        ]
        waiting = self._pending.take(self._scheduler.remove_arm(arm))
        self.rollout.forget(arm)
        for events in (*under_way, *waiting):
            partition = self._partitions.at(int(events.partition[0]))
            if partition is not None:  # else it was handed back
                self._wait(events.renumbered(self._events_total), partition, now_ns)
                self._events_total += len(events)

    def _wake_for_order(self, now_ns: int) -> None:
        due_ns = None if self._intake.order is None else self._intake.order.wake_ns()
        if due_ns is not None:
            due_ns = max(due_ns, now_ns + 1)
            self.wake_ns = due_ns if self.wake_ns is None else min(self.wake_ns, due_ns)

    def completed(
        self,
        run: int,
        outputs: Columns | Rescued,
        finished_ns: int,
        *,
        variant: int | None = None,
        executed_ns: tuple[int, int] | None = None,
    ) -> None:
        """The model has run.

        Args:
            run: the number of the ``Infer`` effect.
            outputs: the model's outputs by name, each [size, ...]; or what could be rescued of them.
            finished_ns: when it ended.
            variant: which variant ran, where it was another than was asked for.
            executed_ns: when the model began and when it had ended, where that is known more closely.
        """
        if self.restore.ended(run, outputs, finished_ns) or self._is_of_rollout(
            run, outputs, finished_ns
        ):
            return
        as_planned = variant is None and not isinstance(outputs, Rescued)
        stopped = was_stopped(outputs)  # it was slow, and that is to be learned
        failed = not (as_planned or stopped)
        self._scheduler.complete(run, finished_ns, failed=failed, stopped=stopped)
        self._conclude(run, Finished(outputs, finished_ns, variant, executed_ns))

    def failed(self, run: int, error: Exception, finished_ns: int) -> None:
        """The model raised: its events become dead letters."""
        if self.restore.ended(run, error, finished_ns) or self._is_of_rollout(
            run, error, finished_ns
        ):
            return
        stopped = was_stopped(error)
        self._scheduler.complete(run, finished_ns, failed=not stopped, stopped=stopped)
        self._conclude(run, Finished(error, finished_ns))

    def _is_of_rollout(
        self, run: int, outputs: Columns | Exception | Rescued, finished_ns: int
    ) -> bool:
        """Whether nothing is to be concluded of what a run gave: it ran aside, was given up, or the model itself stands in."""
        if run < 0:
            if not isinstance(outputs, Rescued):
                self.rollout.aside_ended(run, outputs, finished_ns)
            return True
        if self._escalation is not None and self._escalation.runs(run):
            return False
        in_flight = self._turns.of(run)
        if in_flight is None:
            return self.rollout.is_gone(run)
        if not in_flight.own:
            return False
        good = usable(outputs, len(in_flight.events))
        self.rollout.tried(in_flight, failed=not good, now_ns=finished_ns)
        if good:
            return False
        self._turns.begin(
            run, replace(in_flight, variant=0, own=False, encoders=self._concluder.encoders)
        )
        events = in_flight.events
        first_ns = int(events.deadline_ns.min())
        ladder = self.rollout.ladder
        self._effects.append(
            Infer(run, len(events), events.inputs, deadline_ns=first_ns, ladder=ladder)
        )
        return True

    def roll_back(self, why: str) -> None:
        """Take the canary back, if there is one."""
        self.rollout.because = why

    def reload(
        self,
        scheduling: Reload,
        *,
        encoders: Sequence[DecisionEncoder],
        lane_budgets_ns: Sequence[int] | None,
        batch_room: int,
        rollout: RolloutPlan,
        words: str = "",  # noqa: ARG002 - for a log
    ) -> None:
        """Go on with another model or other scheduling, which the words name; runs under way end as they began."""
        self._scheduler.reload(scheduling)
        self._concluder.encoders = encoders
        now_ns = self._clock.now_ns()
        for arm in self.rollout.ending(rollout):
            self._retire(arm, now_ns)
        self.rollout.change(rollout, self._events_total)
        self._intake.times.set_lane_budgets(lane_budgets_ns)
        self._batch_room = batch_room

    def begin_anew(self) -> None:
        """Forget what the model carries: another one runs, which does not know what it means."""
        if self.stateful is not None:
            self.stateful.another_model()

    def hold_variant(self, floor: int) -> None:
        """Let this variant of the model or a cheaper one decide, whatever the load; 0 gives the choice back."""
        self._scheduler.hold_variant(floor)

    def skipped(self, source: TopicPartition, jump: Jump | None) -> None:
        """The source has jumped over what a ``Skip`` effect asked for; None where there was nothing to jump."""
        partition = self._partitions.find(source)
        if partition is not None:
            partition.skipping = False
        if jump is not None:
            self._accounts.skips["skip_ahead"] += jump.end - jump.start
            if partition is not None:
                partition.moved(jump.end)

    def acknowledged(self, ticket: int, acknowledged_ns: int) -> None:
        """The broker has what a ``Send`` effect asked for."""
        self._settlement.acknowledged(ticket, acknowledged_ns)

    def _account_times(self) -> None:
        self._accounts.wrong_event_times = self._intake.times.wrong_total
        self._accounts.unread_deadlines = self._intake.times.unread_total

    def _start(self, run: Run, now_ns: int) -> None:
        encoders, own = self._concluder.encoders, run.arm != 0
        begun = None if self.stateful is None else self.stateful.begin(run.number)
        self._accounts.batch(len(run.number), run.reason, room=self._batch_room)
        if run.stage and self._escalation is not None:
            self._effects.append(self._escalation.start(run, encoders, now_ns))
            return
        parts, asked = self._pending.take(run.number), None
        if self.requests is not None and self.requests.waiting:
            parts, asked = apart(parts)
        events = EventBatch.concatenate(parts) if parts else none_of(asked)
        bounds = list(accumulate(map(len, parts), initial=0))
        numbers = None if asked is None else asked.number
        under_way = InFlight(
            events,
            bounds,
            now_ns,
            run.reason,
            run.variant,
            encoders,
            run.arm,
            own,
            begun,
            numbers,
        )
        self._turns.begin(run.run, under_way)
        if len(parts) == 1:  # they were admitted together
            waited_ns = now_ns - int(events.admitted_ns[0])
            self._accounts.stage_constant("queue", waited_ns, len(events))
        else:
            self._accounts.stage("queue", now_ns - events.admitted_ns)
        inputs, deadline_ns, stop = events.inputs, events.deadline_ns, None
        if begun is not None:
            inputs = inputs | begun.inputs
        if asked is not None:
            inputs, deadline_ns = with_rows(events, asked)
        size = len(deadline_ns)
        if self._stopping is not None and not own:
            stop = self._stopping.of(
                deadline_ns, variant=run.variant, size=run.cost or size, now_ns=now_ns
            )
        first_ns = int(deadline_ns.min())
        ladder = 0 if own else self.rollout.ladder
        self._effects.append(
            Infer(run.run, size, inputs, run.variant, run.cost, first_ns, ladder, stop=stop)
        )

    def _skip(self, skip: SkipTo) -> None:
        partition = self._partitions.at(skip.partition)
        if partition is None or partition.leaving or partition.skipping:
            return
        if partition.source in self.withheld:
            return
        partition.skipping = True
        self._effects.append(Skip(partition.source, skip.timestamp_ns + partition.timestamp_off_ns))

    def _conclude(self, run: int, finished: Finished) -> None:
        """Decide about a run's events; where order is kept, after those of all runs before it."""
        if self._escalation is not None and self._escalation.runs(run):
            self._effects += self._escalation.ended(run, finished)
            return
        under_way = self._turns.of(run)
        if self.stateful is not None and under_way is not None and under_way.begun is not None:
            # At once: the next events of these keys need not wait until its turn comes to be decided about.
            outputs = self.stateful.ended(under_way.begun, finished.outputs)
            finished = replace(finished, outputs=outputs)
        conclude = self._concluder.conclude if self._escalation is None else self._escalation.first
        for number, in_flight, ended in self._turns.end(run, finished):
            size, took_ns = len(in_flight.events), ended.finished_ns - in_flight.started_ns
            self._accounts.stage_constant("infer", took_ns, size)
            variant = in_flight.variant if ended.variant is None else ended.variant
            self._accounts.run(variant, size, took_ns)
            ran = Ran(
                in_flight.started_ns,
                finished.finished_ns,
                variant,
                in_flight.encoders,
                batch_run(number, in_flight, ended, variant),
                degraded=variant > 0 and not in_flight.own,
            )
            outputs = ended.outputs
            if in_flight.asked is not None and self.requests is not None:
                outputs, theirs = split(outputs, size)
                now_ns = finished.finished_ns
                self.requests.conclude(in_flight.asked, theirs, variant=variant, now_ns=now_ns)
            if size:
                for part in parts_of(in_flight.events, in_flight.bounds, outputs):
                    self._effects += conclude(*part, ran)

"""The engine: decode, features, schedule, decide, encode as one synchronous object.

Bytes and times go in, effects come out: run this, send that, commit here. It holds no connection and
starts nothing; the service, the tests and the player drive the same one.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from streamproc.codecs import DecisionEncoder
from streamproc.core import (
    NOTHING_BEYOND,
    ChangingTables,
    Columns,
    EventBatch,
    Int64Array,
    Jump,
    Reason,
    RecordBatch,
    TopicPartition,
)
from streamproc.engine.effects import Effect, Send, Skip
from streamproc.engine.entrance import Entrance
from streamproc.engine.in_flight import Finished
from streamproc.engine.judge import Verdict
from streamproc.engine.parts import EngineParts
from streamproc.engine.pending import PendingEvents
from streamproc.engine.reordering import Reordering
from streamproc.engine.requests import REQUESTS
from streamproc.engine.rescue import Rescued
from streamproc.engine.restoring import Restoring
from streamproc.engine.rollout_plan import RolloutPlan
from streamproc.engine.runs import Runs
from streamproc.engine.stopping import was_stopped
from streamproc.engine.turns import Turns
from streamproc.engine.undecided import Undecided
from streamproc.scheduling import Idle, Reload, Run, SkipTo, Step, WaitUntil

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
        entrance: takes records and requests in.
        order: lets events wait for those of other topics that happened before them; None where none wait.
        withheld: partitions of which records were polled and not yet given to the engine: what the source says of
            their positions is not believed.
        restore: brings back what features and the model remember, where records are fetched again for it.
        rollout: the models that are tried beside the one that decides.
        changelog: takes what is remembered of keys; None where nobody does.
        stateful: what is kept for a model that carries state; None for one that does not.
        requests: of the front door; None where it is closed.
        tables: brings the tables of lookups to what events of an instant see; None where none changes.
        wake_ns: when ``next_effects`` is to be asked again although nothing has happened; None for never.
    """

    def __init__(self, parts: EngineParts, *, batch_room: int, keep_order: bool) -> None:
        self._clock = parts.clock
        self._intake = parts.intake
        self._scheduler = parts.scheduler
        self._concluder = parts.concluder
        self._settlement = parts.settlement
        self._partitions = parts.partitions
        self._accounts = parts.accounts
        self._escalation = parts.escalation
        self.stateful = parts.stateful
        self.requests = parts.requests
        self.rollout = parts.rollout
        self._concluder.watch = self.rollout.decided
        self._settlement.arms, self._settlement.took = self.rollout.ended, self.rollout.took
        self.restore = Restoring(
            parts.clock, parts.intake, parts.partitions, parts.accounts, parts.stateful
        )
        self._undecided = Undecided(parts.concluder, lanes=len(parts.accounts.lanes))
        self._pending = PendingEvents()
        self.entrance = Entrance(parts, self._pending, self._undecided)
        self.order: Reordering | None = None
        if parts.intake.order is not None:
            self.order = Reordering(parts, parts.intake.order, self.entrance, self._undecided)
        self._turns = Turns(keep_order=keep_order)
        self._runs = Runs(parts, self._pending, self._turns, self.restore, batch_room=batch_room)
        self._effects: list[Effect] = []
        self._leaving_total = 0
        self.draining = False
        self.withheld: Collection[TopicPartition] = ()
        self.changelog: Changelog | None = None
        self.tables: ChangingTables | None = None
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
        if self.order is not None:
            self.order.assigned(positions)

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
        if self.order is not None:
            self.order.take_back(sources)

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
        self.entrance.read.released(sources)
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
        if self.tables is not None:  # not before: what waited until now came before them
            self.tables.advance(batch.arrival_ns)
        partition = self._partitions.find(batch.source)
        if partition is not None and (self._intake.remembers or self.stateful is not None):
            for part in self.restore.undone(partition, batch):
                self._effects += self.entrance.take_in(partition, part)
            if self.changelog is not None and not partition.leaving:
                self.changelog.read_to(partition, batch.end_position, batch.arrival_ns)
            return
        mine = batch if partition is None else partition.undone(batch)
        self._effects += self.entrance.take_in(partition, mine)

    def at_ends(self, sources: Collection[TopicPartition]) -> None:
        """These partitions alone were read to their ends, and nothing came of them until now.

        Where it is never called, a partition's last batch says it.
        """
        if self.order is not None:
            self.order.at_ends(sources)

    def next_effects(self, now_ns: int) -> list[Effect]:
        """What is to be done now: runs as long as executors are free, and all that is to be sent."""
        draining = self.draining or self._leaving_total > 0
        self._release(now_ns)
        for arm in self.rollout.look(self._turns, self.entrance.events_total, now_ns):
            self._retire(arm, now_ns)
        going_on = True
        while going_on:
            step = self._scheduler.next_action(now_ns, draining=draining)
            self._end_without_run(step, now_ns)
            match step.action:
                case Run() as run:
                    self._effects.append(self._runs.start(run, now_ns))
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
        self._effects += self.restore.runs(self._runs.batch_room)
        if self.order is not None:
            self.wake_ns = self.order.wakes_by(self.wake_ns, now_ns)
        return self.take_effects()

    def _release(self, now_ns: int) -> None:
        """Let those events go on whose turn has come by an instant."""
        if self.order is not None:
            self._effects += self.order.release(now_ns, draining=self.draining)

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
        under_way = self._runs.abandon(arm)
        waiting = self._pending.take(self._scheduler.remove_arm(arm))
        self.rollout.forget(arm)
        self.entrance.take_again((*under_way, *waiting), now_ns)

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
        instead = self._runs.instead(run, outputs, finished_ns)
        if instead is not None:
            self._effects += instead
            return
        as_planned = variant is None and not isinstance(outputs, Rescued)
        stopped = was_stopped(outputs)  # it was slow, and that is to be learned
        failed = not (as_planned or stopped)
        self._scheduler.complete(run, finished_ns, failed=failed, stopped=stopped)
        self._effects += self._runs.conclude(
            run, Finished(outputs, finished_ns, variant, executed_ns)
        )

    def failed(self, run: int, error: Exception, finished_ns: int) -> None:
        """The model raised: its events become dead letters."""
        instead = self._runs.instead(run, error, finished_ns)
        if instead is not None:
            self._effects += instead
            return
        stopped = was_stopped(error)
        self._scheduler.complete(run, finished_ns, failed=not stopped, stopped=stopped)
        self._effects += self._runs.conclude(run, Finished(error, finished_ns))

    def roll_back(self, why: Verdict) -> None:
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
        self.rollout.change(rollout, self.entrance.events_total)
        self._intake.times.set_lane_budgets(lane_budgets_ns)
        self._runs.batch_room = batch_room

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

    def _skip(self, skip: SkipTo) -> None:
        partition = self._partitions.at(skip.partition)
        if partition is None or partition.leaving or partition.skipping:
            return
        if partition.source in self.withheld:
            return
        partition.skipping = True
        self._effects.append(Skip(partition.source, skip.timestamp_ns + partition.timestamp_off_ns))

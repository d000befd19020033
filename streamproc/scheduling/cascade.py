"""A scheduler of a cascade: a cheap variant answers first, and a better one what the cheap one is unsure of.

Each further stage is a scheduler of its own, with a queue by deadline, a latency model and batches as the first has. What
it gives up is not lost: the answer at hand stands. So no batch of a further stage keeps the executor for longer than the
events can bear that wait for the first stage, or may still come to it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from streamproc.core import BoolArray, Int64Array
from streamproc.scheduling.arms import ArmedScheduler
from streamproc.scheduling.ladder import Variant
from streamproc.scheduling.lanes import LaneSpec
from streamproc.scheduling.offered import Offered
from streamproc.scheduling.options import Batching, Ordering
from streamproc.scheduling.policies import Expired, Planner, ShedPolicy
from streamproc.scheduling.queue import NUMBER
from streamproc.scheduling.reload import Reload
from streamproc.scheduling.scheduler import Scheduler
from streamproc.scheduling.send_latency import SendLatency
from streamproc.scheduling.slots import Slots
from streamproc.scheduling.steps import Idle, Run, SkipTo, Step, WaitUntil

PROBE_EVERY_NS = 5_000_000_000
"""A further stage that seems too slow is tried so often: what that costs is the first stage's time, and the answers at hand
are good."""
SPARE_PART = 2
"""Of the time that what waits for the first stage can bear, a batch of another stage may take this part (a half): the other
one is for what comes meanwhile."""
_SHED = (Expired(), Planner())
"""An answer that would be late is worth less than the one at hand."""


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A further stage.

    Attributes:
        variant: the place of its variant among the model's.
        slots: how many of its batches may run at the same time; None where they run in the place of the first stage's.
    """

    variant: int
    slots: int | None = None


class CascadeScheduler(ArmedScheduler):
    """Schedules the first stage as ``Scheduler`` does, and further stages in the time that it leaves.

    Args:
        first: the variant that answers first, or a cheaper one under load.
        stages: the further ones, each better than the one before.
        batching: how micro-batches are made; those of further stages always by ``early_drop``.
        shed: as of ``Scheduler``, for what no stage has answered.
        ordering: as of ``Scheduler``; further stages answer in any order.
        variants: of the model, the best first.
        send: how long a decision takes to the broker.
        slots: how many batches of the first stage may run at the same time.
        lanes: the lanes.
    """

    def __init__(  # noqa: PLR0913 - those of the scheduler, and two
        self,
        *,
        first: int,
        stages: Sequence[StageSpec],
        batching: Batching,
        shed: Sequence[ShedPolicy],
        ordering: Ordering,
        variants: Sequence[Variant],
        send: SendLatency,
        slots: int,
        lanes: Sequence[LaneSpec],
    ) -> None:
        shared, numbers = Slots(slots), count(1)
        super().__init__(
            batching=batching,
            shed=shed,
            ordering=ordering,
            variants=variants,
            send=send,
            slots=shared,
            lanes=lanes,
            run_numbers=numbers,
        )
        self._first = first
        self._held = 0
        self._first_ran = False
        self._stages = [
            _Stage(spec, batching, variants, lanes, send, shared, numbers) for spec in stages
        ]
        self.hold_variant(0)

    def hold_variant(self, floor: int) -> None:
        """Let this variant or a cheaper one decide: stages that are better are left out; see ``Scheduler``."""
        self._held = floor
        super().hold_variant(max(floor, self._first))

    def reload(self, options: Reload) -> None:
        """Go on with other options; see ``Scheduler``."""
        super().reload(options)
        for stage in self._stages:
            stage.go_on(options)

    @property
    def queue_depths(self) -> list[int]:
        """Events that wait for any stage, by lane."""
        by_stage = [super().queue_depths, *(stage.queue_depths for stage in self._stages)]
        return [sum(depths) for depths in zip(*by_stage, strict=True)]

    @property
    def queue_depth(self) -> int:
        """Events that wait for any stage."""
        return super().queue_depth + sum(stage.queue_depth for stage in self._stages)

    def demand_workers(self, now_ns: int) -> float:
        """How many workers would do for the first stage, and for those that run in its place."""
        ours = [stage for stage in self._stages if stage.shares]
        return super().demand_workers(now_ns) + sum(s.demand_workers(now_ns) for s in ours)

    def wanted(self, stage: int, deadline_ns: Int64Array, now_ns: int) -> BoolArray:
        """Mark the events that a further stage is to be asked about; 1 is the second stage.

        They are those that it can answer in time, as far as can be seen; and others now and then, to see.

        Args:
            stage: which one.
            deadline_ns: int64 [n], the events' deadlines.
            now_ns: the present instant.

        Returns:
            bool [n]; all False where a cheaper variant is to decide whatever comes.
        """
        to = self._stages[stage - 1]
        if to.spec.variant < self._held:
            return np.zeros(len(deadline_ns), np.bool_)
        return to.wants(deadline_ns, now_ns)

    def answered_ns(self, stage: int, now_ns: int) -> int:
        """When the quickest answer of a further stage would be with the broker."""
        return now_ns + self._stages[stage - 1].soonest_ns

    def escalate(self, stage: int, offered: Offered, now_ns: int) -> None:
        """Offer events of one partition to a further stage, which those before it were unsure of."""
        self._stages[stage - 1].take(offered, now_ns)

    def forget(self, number: Int64Array) -> None:
        """These events (int64 [n]) have their answers: they wait for no further stage."""
        for stage in self._stages:
            stage.forget(number)

    def withdraw(self, partition: int) -> Int64Array:
        """Take the waiting events of a partition out; gives the numbers of those that have no answer yet."""
        for stage in self._stages:
            stage.withdraw(partition)
        return super().withdraw(partition)

    def next_action(
        self, now_ns: int, *, draining: bool = False, within_ns: int | None = None
    ) -> Step:
        """What is to be done now; see ``Scheduler``.

        The first stage and the others take turns where both have something to run: the first alone would never let
        others begin where an event comes more often than its quickest batch ends.
        """
        further = Step((), Idle())
        if self._first_ran:
            further = self._further(now_ns, draining=draining)
            if isinstance(further.action, Run):
                self._first_ran = False
                return further
        step = super().next_action(now_ns, draining=draining, within_ns=within_ns)
        if isinstance(step.action, Run | SkipTo):
            self._first_ran = True
            return replace(step, stand=further.stand)
        if not self._first_ran:
            further = self._further(now_ns, draining=draining)
        if isinstance(further.action, Run):
            return replace(further, shed=step.shed)
        wakes = [
            one.instant_ns for one in (step.action, further.action) if isinstance(one, WaitUntil)
        ]
        return Step(step.shed, WaitUntil(min(wakes)) if wakes else Idle(), further.stand)

    def _further(self, now_ns: int, *, draining: bool) -> Step:
        """What further stages have to do now."""
        spare_ns = self._spare_ns(now_ns)
        wakes: list[int] = []
        stand: list[Int64Array] = []
        for place, stage in enumerate(self._stages, start=1):
            step = stage.next_action(
                now_ns, draining=draining, within_ns=spare_ns if stage.shares else None
            )
            stand += [shed.number for shed in step.shed]
            if isinstance(step.action, Run):
                run = replace(step.action, variant=stage.spec.variant, stage=place)
                return Step((), run, _joined(stand))
            if isinstance(step.action, WaitUntil):
                wakes.append(step.action.instant_ns)
        return Step((), WaitUntil(min(wakes)) if wakes else Idle(), _joined(stand))

    def _spare_ns(self, now_ns: int) -> int | None:
        """How long what waits for the first stage can bear to wait; None where nothing does."""
        waiting = super().queue_depth
        if not waiting:
            return None
        run_ns = self._curve_ns(self.variant)
        batches, rest = divmod(waiting, len(run_ns))
        all_ns = batches * int(run_ns[-1]) + (int(run_ns[rest - 1]) if rest else 0)
        first_ns = min(queue.earliest_ns for queue in self._lanes.queues if len(queue))
        return (first_ns - self._send.send_ns - all_ns - now_ns) // SPARE_PART

    def complete(
        self, run: int, finished_ns: int, *, failed: bool = False, stopped: bool = False
    ) -> None:
        """A run has ended, of whichever stage; see ``Scheduler``."""
        for stage in self._stages:
            if stage.runs(run):
                stage.complete(run, finished_ns, failed=failed, stopped=stopped)
                return
        super().complete(run, finished_ns, failed=failed, stopped=stopped)


class _Stage(Scheduler):
    """A further stage.

    Where it runs in the place of the first stage's batches it has one lane more, for those of the first that may still
    come: nothing is ever in it, but its budget bounds the batches as that of an urgent lane does.
    """

    def __init__(
        self,
        spec: StageSpec,
        batching: Batching,
        variants: Sequence[Variant],
        lanes: Sequence[LaneSpec],
        send: SendLatency,
        shared: Slots,
        numbers: Iterator[int],
    ) -> None:
        self.spec = spec
        self.shares = spec.slots is None
        super().__init__(
            batching=_early(batching),
            shed=_SHED,
            ordering="none",
            variants=[variants[spec.variant]],
            send=send,
            slots=shared if spec.slots is None else Slots(spec.slots),
            lanes=self._with_first(lanes),
            run_numbers=numbers,
        )
        self._probe_every_ns = PROBE_EVERY_NS

    def go_on(self, options: Reload) -> None:
        """Go on with what the first stage goes on with."""
        own = replace(
            options,
            batching=_early(options.batching),
            shed=_SHED,
            variants=[options.variants[self.spec.variant]],
            lanes=self._with_first(options.lanes),
        )
        super().reload(own)

    @property
    def queue_depths(self) -> list[int]:
        """Events that wait, by the pipeline's lanes."""
        return super().queue_depths[int(self.shares) :]

    @property
    def soonest_ns(self) -> int:
        """How long its quickest answer takes to the broker's acknowledgement."""
        return self._soonest_ns()

    def wants(self, deadline_ns: Int64Array, now_ns: int) -> BoolArray:
        """Mark the events that it is to be asked about (bool [n], for int64 [n])."""
        if not self._last_run_ns:
            self._last_run_ns = (
                now_ns  # it was measured at the start: there is nothing to be tried yet
            )
        return ~self.hopeless(deadline_ns, now_ns)

    def take(self, offered: Offered, now_ns: int) -> None:
        """Take events of one partition in."""
        if self.shares:
            lane = offered.lane
            lane = np.ones(len(offered), np.int64) if lane is None else lane + 1
            offered = replace(offered, lane=lane)
        self.offer(offered, now_ns)

    def forget(self, number: Int64Array) -> None:
        """These events do not wait any more."""
        for queue in self._lanes.queues:
            if len(queue):
                queue.remove(np.isin(queue.column(NUMBER), number))

    def runs(self, run: int) -> bool:
        """Whether a run is one of its own."""
        return run in self._running

    def next_action(
        self, now_ns: int, *, draining: bool = False, within_ns: int | None = None
    ) -> Step:
        """What is to be done now; see ``Scheduler``. What has become hopeless is told even while all slots are taken."""
        short = within_ns is not None and within_ns < self._curve_ns(0)[0]
        if self._slots.free and not short:
            return super().next_action(now_ns, draining=draining, within_ns=within_ns)
        if len(self._lanes) and not self._probe_due(now_ns):
            self._shedding.expire(now_ns + self._soonest_ns())
        return Step(self._shedding.pop(), Idle())

    def _with_first(self, lanes: Sequence[LaneSpec]) -> tuple[LaneSpec, ...]:
        if not self.shares:
            return tuple(lanes)
        budget_ns = min((lane.budget_ns for lane in lanes if lane.budget_ns), default=0)
        front = min(lane.priority for lane in lanes) - 1
        return (LaneSpec("first stage", priority=front, budget_ns=budget_ns), *lanes)


def _early(batching: Batching) -> Batching:
    return Batching(policy="early_drop", max_size=batching.max_size, cost=batching.cost)


def _joined(numbers: Sequence[Int64Array]) -> Int64Array | None:
    return np.sort(np.concatenate(numbers)) if numbers else None

"""Several models side by side, each with a queue and slots of its own: what one does to itself, no other feels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from streamproc.core import Int64Array
from streamproc.scheduling.ladder import Variant
from streamproc.scheduling.lanes import LaneSpec
from streamproc.scheduling.offered import Offered
from streamproc.scheduling.options import Batching, Ordering
from streamproc.scheduling.policies import ShedPolicy, SkipAhead
from streamproc.scheduling.reload import Reload
from streamproc.scheduling.scheduler import Scheduler
from streamproc.scheduling.send_latency import SendLatency
from streamproc.scheduling.slots import Slots
from streamproc.scheduling.steps import Action, Idle, Run, SkipTo, Step, WaitUntil

_ARM_BITS: Final = 40
"""A run's number has its arm above so many bits: those of the model itself are counted as ever."""


@dataclass(frozen=True, slots=True)
class ArmSpec:
    """A model beside the one that decides.

    Attributes:
        number: of the arm, above 0, and never used again for another.
        variant: the model.
        level: what its runs say as their variant.
    """

    number: int
    variant: Variant
    level: int


class ArmedScheduler(Scheduler):
    """A scheduler that can have others beside it, each for the events of one arm; itself, it is arm 0.

    Args:
        batching: as of ``Scheduler``, for each arm.
        shed: the same.
        ordering: the same; the events of a key must all be of one arm.
        variants: of arm 0.
        send: the time to the broker, which all share.
        slots: how many batches each arm may run at the same time.
        lanes: as of ``Scheduler``.
        run_numbers: as of ``Scheduler``.

    Attributes:
        held: arms of which nothing is started for now.
    """

    def __init__(
        self,
        *,
        batching: Batching,
        shed: Sequence[ShedPolicy],
        ordering: Ordering,
        variants: Sequence[Variant],
        send: SendLatency,
        slots: int | Slots,
        lanes: Sequence[LaneSpec] = (LaneSpec("default"),),
        run_numbers: Iterator[int] | None = None,
    ) -> None:
        super().__init__(
            batching=batching,
            shed=shed,
            ordering=ordering,
            variants=variants,
            send=send,
            slots=slots,
            lanes=lanes,
            run_numbers=run_numbers,
        )
        self._options = Reload(batching, shed, variants, lanes, send.ceiling_ns)
        self._specs: dict[int, ArmSpec] = {}
        self._beside: dict[int, Scheduler] = {}
        self.held: set[int] = set()

    @property
    def arms(self) -> Mapping[int, ArmSpec]:
        """Those beside it, by number."""
        return self._specs

    def add_arm(self, spec: ArmSpec) -> None:
        """Let another model run what is of its arm."""
        options = self._options
        self._specs[spec.number] = spec
        self._beside[spec.number] = Scheduler(
            batching=options.batching,
            shed=_without_skips(options.shed),
            ordering=self._ordering,
            variants=[spec.variant],
            send=self._send,
            slots=self._slots.total,
            lanes=options.lanes,
        )

    def replace_arm(self, spec: ArmSpec) -> None:
        """Let another model run what is of an arm; what runs there ends as it began."""
        options = self._options
        self._specs[spec.number] = spec
        shed = _without_skips(options.shed)
        self._beside[spec.number].reload(replace(options, variants=(spec.variant,), shed=shed))

    def remove_arm(self, number: int) -> Int64Array:
        """Let an arm go, and forget its runs; gives the numbers of its waiting events (int64 [n], ascending)."""
        gone = self._beside.pop(number)
        del self._specs[number]
        self.held.discard(number)
        self._shedding.succeed(gone.take_shed())
        return np.sort(gone.withdraw_all())

    def reload(self, options: Reload) -> None:
        """See ``Scheduler``; arms keep their models."""
        super().reload(options)
        self._options = options
        for number, scheduler in self._beside.items():
            mine = (self._specs[number].variant,)
            shed = _without_skips(options.shed)
            scheduler.reload(replace(options, variants=mine, shed=shed))

    @property
    def queue_depth(self) -> int:
        """Events that wait."""
        return super().queue_depth + sum(one.queue_depth for one in self._beside.values())

    @property
    def queue_depths(self) -> list[int]:
        """Events that wait, by lane."""
        all_of = [super().queue_depths, *(one.queue_depths for one in self._beside.values())]
        return [sum(depths) for depths in zip(*all_of, strict=True)]

    def demand_workers(self, now_ns: int) -> float:
        """How many workers like this one would meet the objective for what is offered now."""
        beside = (one.demand_workers(now_ns) for one in self._beside.values())
        return super().demand_workers(now_ns) + sum(beside)

    def offer(self, offered: Offered, now_ns: int) -> None:
        """Take events of one partition into the queues of their arms."""
        if offered.arm is None:
            super().offer(offered, now_ns)
            return
        for number in np.unique(offered.arm).tolist():
            part = offered.take(np.flatnonzero(offered.arm == number))
            if number in self._beside:
                self._beside[number].offer(part, now_ns)
            else:
                super().offer(part, now_ns)

    def withdraw(self, partition: int) -> Int64Array:
        """Take the waiting events of a partition out; gives their numbers."""
        waiting = super().withdraw(partition)
        if not self._beside:
            return waiting
        return np.concatenate([waiting, *(s.withdraw(partition) for s in self._beside.values())])

    def next_action(
        self, now_ns: int, *, draining: bool = False, within_ns: int | None = None
    ) -> Step:
        """See ``Scheduler``: of the first arm that has anything to do, the model itself before all others."""
        step = super().next_action(now_ns, draining=draining, within_ns=within_ns)
        if not self._beside or isinstance(step.action, Run | SkipTo):
            return step
        shed, waits = list(step.shed), list[Action]((step.action,))
        for number, scheduler in self._beside.items():
            if number in self.held:
                continue
            step = scheduler.next_action(now_ns, draining=draining)
            shed += step.shed
            if isinstance(step.action, Run):
                run, level = step.action.run | number << _ARM_BITS, self._specs[number].level
                return Step(tuple(shed), replace(step.action, run=run, variant=level, arm=number))
            waits.append(step.action)
        instants = [wait.instant_ns for wait in waits if isinstance(wait, WaitUntil)]
        return Step(tuple(shed), WaitUntil(min(instants)) if instants else Idle())

    def complete(
        self, run: int, finished_ns: int, *, failed: bool = False, stopped: bool = False
    ) -> None:
        """See ``Scheduler``; runs of arms that are gone are not to be told."""
        number = arm_of(run)
        if number:
            own = run & ((1 << _ARM_BITS) - 1)
            self._beside[number].complete(own, finished_ns, failed=failed, stopped=stopped)
        else:
            super().complete(run, finished_ns, failed=failed, stopped=stopped)


def arm_of(run: int) -> int:
    """The arm of a run, by its number."""
    return run >> _ARM_BITS


def _without_skips(shed: Sequence[ShedPolicy]) -> list[ShedPolicy]:
    """What is jumped over is of all arms: one of them, the model itself, says so."""
    return [policy for policy in shed if not isinstance(policy, SkipAhead)]

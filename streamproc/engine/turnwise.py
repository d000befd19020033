"""The scheduler of a model that carries state: it knows, of each key, only the event whose turn it is."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from streamproc.core import BoolArray, Int64Array, Reason
from streamproc.engine.stateful import StatefulModel
from streamproc.scheduling import (
    ArmedScheduler,
    Batching,
    LaneSpec,
    Ordering,
    Planner,
    Run,
    Shed,
    ShedPolicy,
    SkipTo,
    Step,
    Variant,
)


class TurnwiseScheduler(ArmedScheduler):
    """A scheduler in front of which the events of a key wait for one another.

    It keeps no order itself: that of a key follows from the turns, and more is not promised.

    Args:
        stateful: whose turn it is.
        ordering: is kept by the turns.
        options: the others of ``Scheduler``.
    """

    def __init__(
        self,
        stateful: StatefulModel,
        *,
        ordering: Ordering,  # noqa: ARG002 - see its description
        **options: Any,  # noqa: ANN401 - those of the class
    ) -> None:
        super().__init__(ordering="none", **options)
        self._stateful = stateful

    @property
    def queue_depth(self) -> int:
        """Events that wait; see ``Scheduler``."""
        return sum(self.queue_depths)

    @property
    def queue_depths(self) -> list[int]:
        """The same by lane."""
        depths = super().queue_depths
        held = self._stateful.held_by_lane(len(depths))
        return [waiting + more for waiting, more in zip(depths, held.tolist(), strict=True)]

    def withdraw(self, partition: int) -> Int64Array:
        """Take the waiting events of a partition out; gives their numbers."""
        return np.concatenate((super().withdraw(partition), self._stateful.drop(partition)))

    def next_action(
        self, now_ns: int, *, draining: bool = False, within_ns: int | None = None
    ) -> Step:
        """What is to be done now; see ``Scheduler``. An event that is given up makes room for the next of its key."""
        shed: list[Shed] = []
        while True:
            self._take_back_crowded(now_ns)
            shed += self._offer_due(now_ns)
            step = super().next_action(now_ns, draining=draining, within_ns=within_ns)
            for some in step.shed:
                self._stateful.given_up(some.number)
            shed += step.shed
            if isinstance(step.action, Run | SkipTo) or not self._stateful.has_due:
                return Step(tuple(shed), step.action)

    def _set_up(
        self,
        batching: Batching,
        shed: Sequence[ShedPolicy],
        variants: Sequence[Variant],
        lanes: Sequence[LaneSpec],
    ) -> None:
        super()._set_up(batching, shed, variants, lanes)
        self._may_pass = self._expires and any(isinstance(policy, Planner) for policy in shed)

    def _take_back_crowded(self, now_ns: int) -> None:
        """Withdraw what has waited too long to be in a batch of all keys, and has another one of its key behind it."""
        if not (self._may_pass and self._slots.free and self._stateful.turns.held):
            return
        turns, deadline_ns = self._stateful.standing()
        _, crowded = self._judge(deadline_ns, others=0, now_ns=now_ns)
        stale = [
            turn for turn, is_crowded in zip(turns, crowded.tolist(), strict=True) if is_crowded
        ]
        if stale:
            self._lanes.remove_numbers(np.array([turn.number for turn in stale]))
            self._stateful.take_back(stale)

    def _offer_due(self, now_ns: int) -> list[Shed]:
        """Offer the events whose turn has come; gives those that are too late by now, or that others go past."""
        due = self._stateful.due(partial(self._judge, now_ns=now_ns))
        if due is None:
            return []
        for offered in due.offers:
            self.offer(offered, now_ns)
        gone = ((due.expired, Reason.EXPIRED), (due.passed, Reason.PLANNER))
        shed = [Shed(number, reason) for number, reason in gone if len(number)]
        self.offered(sum(len(some.number) for some in shed), now_ns)
        return shed

    def _judge(
        self, deadline_ns: Int64Array, *, others: int, now_ns: int
    ) -> tuple[BoolArray, BoolArray]:
        """See ``Judge``: an event that leaves no time for a batch of all keys would be run alone, and they would wait.

        An overloaded planner passes over such events; of those that wait behind their keys it sees nothing.
        """
        late = self.hopeless(deadline_ns, now_ns)
        if not self._may_pass or self._probe_due(now_ns):
            return late, np.zeros_like(late)
        curve_ns = self._curve_ns(self.variant)
        size = min(max(1, others + len(self._lanes)), len(curve_ns))
        return late, deadline_ns < now_ns + int(curve_ns[size - 1]) + self.send_ns

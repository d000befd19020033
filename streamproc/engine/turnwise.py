"""The scheduler of a model that carries state: it knows, of each key, only the event whose turn it is."""

from typing import Any

import numpy as np

from streamproc.core import Int64Array, Reason
from streamproc.engine.stateful import StatefulModel
from streamproc.scheduling import Ordering, Run, Scheduler, Shed, SkipTo, Step


class TurnwiseScheduler(Scheduler):
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

    def next_action(self, now_ns: int, *, draining: bool = False) -> Step:
        """What is to be done now; see ``Scheduler``. An event that is given up makes room for the next of its key."""
        shed: list[Shed] = []
        while True:
            shed += self._offer_due(now_ns)
            step = super().next_action(now_ns, draining=draining)
            for some in step.shed:
                self._stateful.given_up(some.number)
            shed += step.shed
            if isinstance(step.action, Run | SkipTo) or not self._stateful.has_due:
                return Step(tuple(shed), step.action)

    def _offer_due(self, now_ns: int) -> list[Shed]:
        """Offer the events whose turn has come; gives those that are too late by now."""
        due = self._stateful.due(lambda deadline_ns: self.hopeless(deadline_ns, now_ns))
        if due is None:
            return []
        for offered in due.offers:
            self.offer(offered, now_ns)
        if not len(due.expired):
            return []
        self.offered(len(due.expired), now_ns)
        return [Shed(due.expired, Reason.EXPIRED)]

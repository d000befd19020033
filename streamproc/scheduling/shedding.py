"""What is given up, and why: the shed policies at work on the queues."""

from collections.abc import Sequence

import numpy as np

from streamproc.core import Int64Array, Reason
from streamproc.scheduling.lanes import LaneQueues
from streamproc.scheduling.offered import Offered
from streamproc.scheduling.policies import (
    CoDel,
    Conflate,
    ControlledDelay,
    Priority,
    ShedPolicy,
    TailDrop,
    Utility,
    excess,
    least_worth,
    superseded,
)
from streamproc.scheduling.queue import COST, DEADLINE, SINCE, VALUE
from streamproc.scheduling.steps import Shed


class Shedding:
    """Applies the policies where events come in and before a batch is formed; keeps what was given up.

    Args:
        policies: those that the user named.
        lanes: the waiting events.
        slots: how many batches may run at the same time.
    """

    def __init__(self, policies: Sequence[ShedPolicy], lanes: LaneQueues, *, slots: int) -> None:
        self._lanes = lanes
        self._slots = slots
        self._given_up: dict[Reason, list[Int64Array]] = {}
        self._queue_max: int | None = None
        self._codel: ControlledDelay | None = None
        self._conflates = self._by_priority = self._by_utility = False
        for policy in policies:
            match policy:
                case TailDrop(max_queue=most):
                    self._queue_max = most
                case CoDel() as options:
                    self._codel = ControlledDelay(options)
                case Conflate():
                    self._conflates = True
                case Priority():
                    self._by_priority = True
                case Utility():
                    self._by_utility = True
                case _:
                    pass

    def succeed(self, before: Sequence[Shed]) -> None:
        """Take over from other policies what they gave up and nobody has asked for."""
        for shed in before:
            self._given_up.setdefault(shed.reason, []).append(shed.number)

    def pop(self) -> tuple[Shed, ...]:
        """What was given up since the last time, by reason."""
        if not self._given_up:
            return ()
        shed = tuple(
            Shed(np.sort(np.concatenate(numbers)), reason)
            for reason, numbers in self._given_up.items()
        )
        self._given_up = {}
        return shed

    def offer(self, offered: Offered, now_ns: int) -> None:
        """Let events into the queues, but for those that a policy gives up at once."""
        if self._conflates and offered.key is not None:
            old = superseded(offered.key)
            if old.any():
                self._add(Reason.CONFLATE, offered.number[old])
                offered = offered.take(np.flatnonzero(~old))
            if len(self._lanes) and offered.key is not None:
                self._add(Reason.CONFLATE, self._lanes.remove_keys(offered.key))
        if self._queue_max is not None:
            room = max(0, self._queue_max - len(self._lanes))
            if len(offered) > room:
                self._add(Reason.TAIL_DROP, offered.number[room:])
                offered = offered.take(slice(0, room, None))
        if len(offered):
            self._lanes.push(offered, now_ns)

    def expire(self, soonest_ns: int) -> None:
        """Give up what has its deadline before the quickest answer would be acknowledged."""
        for queue in self._lanes.queues:
            if len(queue) and queue.earliest_ns < soonest_ns:
                self._add(Reason.EXPIRED, queue.take(0, reach_ns=soonest_ns, drop=True).dropped)

    def look(self, now_ns: int, run_ns: Int64Array, send_ns: int) -> None:
        """Apply the policies that judge the whole of what waits, before a batch is formed of it."""
        if self._codel is not None:
            self._look_at_delay(self._codel, now_ns)
        if self._by_priority or self._by_utility:
            self._look_at_excess(now_ns, run_ns, send_ns)

    def pass_over(self, number: Int64Array) -> None:
        """Events (int64 [n]) that a planner gives up for others."""
        self._add(Reason.PLANNER, number)

    def _look_at_delay(self, codel: ControlledDelay, now_ns: int) -> None:
        (since_ns,) = self._lanes.gather((SINCE,))
        if not len(since_ns):
            return
        count = codel.excess(int(since_ns.min()), now_ns)
        if count:
            oldest = least_worth(since_ns.astype(np.float64), min(count, len(since_ns)))
            self._add(Reason.CODEL, self._lanes.remove(oldest))

    def _look_at_excess(self, now_ns: int, run_ns: Int64Array, send_ns: int) -> None:
        deadline_ns, cost, value = self._lanes.gather((DEADLINE, COST, VALUE))
        count = excess(
            np.sort(deadline_ns), now_ns=now_ns, run_ns=run_ns, send_ns=send_ns, slots=self._slots
        )
        if not count:
            return
        if self._by_utility:
            worth = value.view(np.float64) / np.maximum(cost.view(np.float64), 1e-9)
            reason = Reason.UTILITY
        else:
            depths = [len(self._lanes.queues[lane]) for lane in self._lanes.by_priority]
            worth = -np.repeat(np.arange(float(len(depths))), depths)
            reason = Reason.PRIORITY
        self._add(reason, self._lanes.remove(least_worth(worth, count)))

    def _add(self, reason: Reason, number: Int64Array) -> None:
        if len(number):
            self._given_up.setdefault(reason, []).append(number)

"""From what waits in the lanes to the next micro-batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from streamproc.core import Int64Array, light
from streamproc.scheduling.lanes import LaneQueues, LaneShares, LaneSpec, distribute
from streamproc.scheduling.options import Batching
from streamproc.scheduling.planners import Plan, View, make_planner
from streamproc.scheduling.planners.plan import Bound
from streamproc.scheduling.queue import DEADLINE, SINCE, DeadlineQueue, Taken


def _nothing() -> Int64Array:
    return np.empty(0, np.int64)


@light
@dataclass(frozen=True, slots=True)
class Formed:
    """A micro-batch.

    Attributes:
        number: int64 [n], its events, in order of service; empty where nothing is to be run now.
        size: what it costs the executor, in units of the latency model: n, unless events have costs.
        bound: what bounded it.
        earliest_ns: the first of its deadlines.
        dropped: int64 [m], events given up for it.
        wait_until_ns: when to ask again, where waiting is better.
    """

    number: Int64Array = field(default_factory=_nothing)
    size: int = 0
    bound: Bound = "idle"
    earliest_ns: int = 0
    dropped: Int64Array = field(default_factory=_nothing)
    wait_until_ns: int | None = None


class Former:
    """Forms micro-batches: one lane's planner says how, and the other lanes fill it up.

    Args:
        batching: the planner and its options.
        specs: the lanes.
        lanes: what waits in them.
        may_drop: whether the planner may pass events over that could still be in time.
        may_expire: whether those may be passed over that cannot.
        keep_order: whether what is passed over must be given up at once, as it would come too late for its order.

    Attributes:
        has_costs: whether events have costs of their own.
        has_values: whether events have values of their own.
    """

    def __init__(
        self,
        batching: Batching,
        specs: Sequence[LaneSpec],
        lanes: LaneQueues,
        *,
        may_drop: bool,
        may_expire: bool,
        keep_order: bool,
    ) -> None:
        self._planner = make_planner(batching)
        self._lanes = lanes
        self._may_drop = may_drop and may_expire
        self._may_expire = may_expire
        self._keep_order = keep_order
        self._shares = LaneShares(specs, credit_max=2 * batching.max_size)
        self._size_max = batching.max_size
        budgets = [specs[lane].budget_ns for lane in lanes.by_priority[:-1]]
        self._urgent_budget_ns = min((budget for budget in budgets if budget), default=0)
        self.has_costs = False
        self.has_values = False

    def completed(self, count: int, *, in_time: bool) -> None:
        """A batch has ended, and all its events were in time, or not."""
        self._planner.completed(count, in_time=in_time)

    def form(
        self, now_ns: int, run_ns: Int64Array, send_ns: int, *, draining: bool, drop: bool
    ) -> Formed:
        """Take the next micro-batch out of the lanes.

        Args:
            now_ns: the present instant.
            run_ns: int64 [b_max], the time of a batch of each size.
            send_ns: from its end to the broker's acknowledgement.
            draining: whether nothing more will come.
            drop: whether what is passed over is given up; else another executor may still serve it.
        """
        drop = drop or self._keep_order
        if len(self._lanes.queues) == 1:
            return self._of_one(
                self._lanes.queues[0], now_ns, run_ns, send_ns, draining=draining, drop=drop
            )
        return self._of_several(now_ns, run_ns, send_ns, draining=draining, drop=drop)

    def last(self) -> Formed:
        """Take the one event that has the most time left."""
        queue = max((q for q in self._lanes.queues if len(q)), key=lambda q: q.latest_ns)
        latest_ns = queue.latest_ns
        return Formed(queue.take(1, reach_ns=latest_ns, drop=False).number, 1, "idle", latest_ns)

    def _of_one(
        self,
        queue: DeadlineQueue,
        now_ns: int,
        run_ns: Int64Array,
        send_ns: int,
        *,
        draining: bool,
        drop: bool,
    ) -> Formed:
        if not len(queue):
            return Formed()
        plan = self._plan(queue, now_ns, run_ns, send_ns, draining=draining)
        if not plan.count:
            return Formed(wait_until_ns=plan.wait_until_ns)
        taken = queue.take(plan.count, reach_ns=plan.reach_ns, drop=drop, cost_max=plan.cost_max)
        return Formed(
            taken.number,
            max(1, math.ceil(taken.cost)) if plan.cost_max is not None else len(taken.number),
            plan.bound,
            taken.earliest_ns,
            dropped=taken.dropped,
        )

    def _of_several(
        self, now_ns: int, run_ns: Int64Array, send_ns: int, *, draining: bool, drop: bool
    ) -> Formed:
        """The first lane with anything to run says when the batch must be done; then each gets its part of it."""
        bearable = self._protecting(run_ns, send_ns)
        run_ns = run_ns if bearable == len(run_ns) else run_ns[:bearable]
        for lane in self._order():
            queue = self._lanes.queues[lane]
            if not len(queue):
                continue
            alone = len(queue) == len(self._lanes)
            plan = self._plan(queue, now_ns, run_ns, send_ns, draining=draining, alone=alone)
            if plan.count and plan.cost_max is not None:
                return self._shared_by_cost(lane, plan, now_ns + send_ns, run_ns, drop=drop)
            if plan.count:
                return self._shared(lane, plan, now_ns + send_ns, run_ns, drop=drop)
            if plan.wait_until_ns is not None:
                return Formed(wait_until_ns=plan.wait_until_ns)
        return Formed()

    def _shared(
        self, first: int, plan: Plan, start_ns: int, run_ns: Int64Array, *, drop: bool
    ) -> Formed:
        """The batch that a lane's plan allows, filled from all lanes."""
        queues = self._lanes.queues
        deadlines = [queue.deadlines_ns for queue in queues]
        reach_ns, size = plan.reach_ns, plan.count
        if self._may_expire:
            own = deadlines[first]
            head_ns = int(own[own.searchsorted(reach_ns)])
            size = _filled(deadlines, size, head_ns, start_ns, run_ns)
            reach_ns = max(start_ns + int(run_ns[size - 1]), _least(deadlines))
        available = [len(own) - int(own.searchsorted(reach_ns)) for own in deadlines]
        size = min(size, sum(available), len(run_ns))
        waiting = [len(own) for own in deadlines]
        owed = [self._shares.owed(lane) for lane in range(len(queues))]
        counts = distribute(size, available, owed, self._lanes.by_priority)
        parts = [
            queue.take(count, reach_ns=reach_ns, drop=drop and self._may_drop)
            for queue, count in zip(queues, counts, strict=True)
        ]
        self._shares.served(counts, waiting)
        bound: Bound = "full" if size == len(run_ns) else "deadline"
        return _joined(parts, "idle" if size == sum(available) else bound)

    def _shared_by_cost(
        self, first: int, plan: Plan, start_ns: int, run_ns: Int64Array, *, drop: bool
    ) -> Formed:
        """The same where events have costs: the batch ends when one of all the cost that the plan allows would.

        How many each lane is to get is reckoned with the mean cost of what could be taken; the lane that the batch
        is made for takes its part first, and no lane's part may cost more than what is left.
        """
        queues = self._lanes.queues
        left = float(plan.cost_max or 0)
        reach_ns = plan.reach_ns
        if self._may_expire:
            reach_ns = start_ns + int(run_ns[max(1, min(math.ceil(left), len(run_ns))) - 1])
        reachable = [queue.costs[queue.column(DEADLINE) >= reach_ns] for queue in queues]
        mean = float(np.concatenate(reachable).mean()) if any(map(len, reachable)) else 1.0
        available = [len(costs) for costs in reachable]
        size = min(max(1, int(left / mean)), sum(available), len(run_ns))
        waiting = [len(queue) for queue in queues]
        owed = [self._shares.owed(lane) for lane in range(len(queues))]
        counts = distribute(size, available, owed, self._lanes.by_priority)
        counts[first] = max(1, counts[first])
        parts: dict[int, Taken] = {}
        for lane in (first, *(lane for lane in self._lanes.by_priority if lane != first)):
            part = queues[lane].take(
                counts[lane],
                reach_ns=reach_ns,
                drop=drop and self._may_drop,
                cost_max=left,
                alone=lane == first,
            )
            left -= part.cost
            parts[lane] = part
        taken = [parts[lane] for lane in range(len(queues))]
        self._shares.served([len(part.number) for part in taken], waiting)
        return _joined(taken, plan.bound, cost=sum(part.cost for part in taken))

    def _plan(
        self,
        queue: DeadlineQueue,
        now_ns: int,
        run_ns: Int64Array,
        send_ns: int,
        *,
        draining: bool,
        alone: bool = True,
    ) -> Plan:
        costs = values = None
        if self.has_costs or self.has_values:
            rows = (
                slice(None)
                if queue.is_by_deadline
                else np.argsort(queue.column(DEADLINE), kind="stable")
            )
            costs = queue.costs[rows] if self.has_costs else None
            values = queue.values[rows] if self.has_values else None
        return self._planner.plan(
            View(
                queue.deadlines_ns,
                now_ns,
                run_ns,
                send_ns,
                queue.column(SINCE),
                costs,
                values,
                self._may_drop,
                self._may_expire,
                draining,
                alone,
            )
        )

    def _protecting(self, run_ns: Int64Array, send_ns: int) -> int:
        """The largest batch that keeps the executor no longer than the lanes before the last can bear.

        An event that comes just after a batch has begun waits for all of it, then for its own, and then for its
        sending. Each may take a third of what is left of the smallest budget; the last third is for the noise.
        """
        if not self._urgent_budget_ns:
            return len(run_ns)
        bearable_ns = (self._urgent_budget_ns - send_ns) // 3
        return max(1, int(run_ns.searchsorted(bearable_ns, side="right")))

    def _order(self) -> list[int]:
        """The lanes in the order in which they may say when the batch must be done.

        Those that are owed more than a whole batch come first: batches made for others did not suit them.
        """
        order = self._lanes.by_priority
        starved = [lane for lane in order if self._shares.owed(lane) >= self._size_max]
        return starved + [lane for lane in order if lane not in starved]


def _least(deadlines: Sequence[Int64Array]) -> int:
    return min(int(own[0]) for own in deadlines if len(own))


def _filled(
    deadlines: Sequence[Int64Array], size: int, head_ns: int, start_ns: int, run_ns: Int64Array
) -> int:
    """The largest batch of all lanes' events, at least ``size``, that ends before the first lane's head must.

    Args:
        deadlines: by lane, int64 [n], ascending.
        size: a batch that does.
        head_ns: the deadline of the event that it is made for.
        start_ns: now, and the time of sending.
        run_ns: int64 [b_max], the time of a batch of each size.
    """
    fits, too_large = size, len(run_ns) + 1
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        end_ns = start_ns + int(run_ns[middle - 1])
        there = sum(len(own) - int(own.searchsorted(end_ns)) for own in deadlines)
        if end_ns <= head_ns and there >= middle:
            fits = middle
        else:
            too_large = middle
    return fits


def _joined(parts: Sequence[Taken], bound: Bound, *, cost: float | None = None) -> Formed:
    number = np.concatenate([part.number for part in parts])
    return Formed(
        number,
        len(number) if cost is None else max(1, math.ceil(cost)),
        bound,
        min((part.earliest_ns for part in parts if len(part.number)), default=0),
        dropped=np.concatenate([part.dropped for part in parts]),
    )

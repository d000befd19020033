"""The scheduler: an object that asks and answers, in the way of a sans-I/O protocol library.

``offer`` events, ask for the ``next_action``, carry it out, report back with ``complete`` and
``acknowledged``. It holds no clock, starts no thread and awaits nothing; the service, the tests, the
simulator and the player drive the same one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

import numpy as np

from streamproc.core import BoolArray, Int64Array, InvariantError
from streamproc.scheduling.demand import ArrivalRate, demand_workers
from streamproc.scheduling.forming import Formed, Former
from streamproc.scheduling.ladder import Variant, VariantLadder
from streamproc.scheduling.lanes import LaneQueues, LaneSpec
from streamproc.scheduling.offered import Offered
from streamproc.scheduling.options import Batching, Ordering
from streamproc.scheduling.policies import (
    Conflate,
    Expired,
    Planner,
    ShedPolicy,
    SkipAhead,
    Skipper,
    expired,
    superseded,
)
from streamproc.scheduling.queue import NUMBER
from streamproc.scheduling.reload import Reload
from streamproc.scheduling.running import Running
from streamproc.scheduling.send_latency import SendLatency
from streamproc.scheduling.shedding import Shedding
from streamproc.scheduling.slots import Slots
from streamproc.scheduling.steps import BatchReason, Idle, Run, Shed, SkipTo, Step, WaitUntil

PROBE_EVERY_NS = 250_000_000
"""When no event seems to fit its deadline, one is run so often all the same: the model may be wrong, and
would never learn it from events that are all given up."""


class Scheduler:
    """Decides which events run together, when, by which variant, and which are given up.

    Args:
        batching: how micro-batches are made.
        shed: the policies that may give events up; with none, all are run however late.
        ordering: whose events must not overtake each other.
        variants: the model's variants, the best first.
        send: how long a decision takes to the broker.
        slots: how many batches may run at the same time; an object where others' batches count too.
        lanes: the lanes; one takes all events that say nothing else.
        run_numbers: gives numbers to runs, where others do so too.
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
        self._send = send
        self._slots = Slots(slots) if isinstance(slots, int) else slots
        self._lanes = LaneQueues(lanes, ordering)
        self._several_lanes = len(lanes) > 1
        self._ordering = ordering
        self._skips: list[SkipTo] = []
        self._floor = self._first = 0
        self._set_up(batching, shed, variants, lanes)
        self._rate = ArrivalRate()
        self._running: dict[int, Running] = {}
        self._run_numbers = count(1) if run_numbers is None else run_numbers
        self._last_run_ns = 0
        self._probe_every_ns = PROBE_EVERY_NS

    def reload(self, options: Reload) -> None:
        """Go on with other options and another model; what waits and what runs stays."""
        shedding, former = self._shedding, self._former
        self._send.ceiling_ns = options.send_ceiling_ns
        self._set_up(options.batching, options.shed, options.variants, options.lanes)
        self._shedding.succeed(shedding.pop())
        self._former.has_costs, self._former.has_values = former.has_costs, former.has_values

    def hold_variant(self, floor: int) -> None:
        """Let this variant or a cheaper one decide, whatever the load, until it is told otherwise; see the ladder."""
        self._ladder.hold(floor)
        self._floor = floor

    def _set_up(
        self,
        batching: Batching,
        shed: Sequence[ShedPolicy],
        variants: Sequence[Variant],
        lanes: Sequence[LaneSpec],
    ) -> None:
        self._variants = tuple(variants)
        self._size_max = min(batching.max_size, *(len(v.latency.run_ns) for v in variants))
        self._curves: list[Int64Array | None] = [None] * len(self._variants)
        self._budget_ns = max(lane.budget_ns for lane in lanes)
        self._ladder = VariantLadder(self._variants, self._budget_ns)
        self._ladder.hold(min(self._floor, len(self._variants) - 1))
        self._expires = any(isinstance(policy, Expired) for policy in shed)
        self._conflates = any(isinstance(policy, Conflate) for policy in shed)
        self._shedding = Shedding(shed, self._lanes, slots=self._slots.total)
        skips = [policy for policy in shed if isinstance(policy, SkipAhead)]
        self._skipper = Skipper(skips[0], self._budget_ns) if skips else None
        self._former = Former(
            batching,
            lanes,
            self._lanes,
            may_drop=any(isinstance(policy, Planner) for policy in shed),
            may_expire=self._expires,
            keep_order=self._ordering != "none",
        )

    @property
    def queue_depth(self) -> int:
        """Events that wait."""
        return len(self._lanes)

    @property
    def queue_depths(self) -> list[int]:
        """Events that wait, by lane."""
        return [len(queue) for queue in self._lanes.queues]

    @property
    def send_ns(self) -> int:
        """The time that a decision needs to the broker's acknowledgement."""
        return self._send.send_ns

    @property
    def wants_keys(self) -> bool:
        """Whether hashes of keys are needed in what is offered, for order among lanes or for a policy."""
        return self._conflates or (self._ordering == "key" and self._several_lanes)

    @property
    def variant(self) -> int:
        """The variant that the next batch would be run by, 0 being the best."""
        return self._ladder.level

    def predict_ns(self, variant: int, size: int) -> int:
        """How long a batch of so many events takes a variant."""
        return self._variants[variant].latency.predict_ns(size)

    def demand_workers(self, now_ns: int) -> float:
        """How many workers like this one would meet the objective for what is offered now."""
        return demand_workers(
            self._rate.per_s(now_ns),
            self._variants[self._first].latency,
            slots=self._slots.total,
            budget_ns=self._budget_ns,
            send_ns=self._send.send_ns,
            peak_ratio=self._rate.peak_ratio(now_ns),
        )

    def hopeless(self, deadline_ns: Int64Array, now_ns: int) -> BoolArray:
        """Mark the events that need not even be decoded: they would be shed at once.

        Args:
            deadline_ns: int64 [n], the latest that each event's deadline can be.
            now_ns: the present instant.

        Returns:
            bool [n]; all False where no policy sheds, or where it is time to try one all the same.
        """
        if not self._expires or self._probe_due(now_ns):
            return np.zeros(len(deadline_ns), np.bool_)
        return expired(deadline_ns, now_ns=now_ns, soonest_ns=self._soonest_ns())

    def superseded(self, key: Int64Array) -> BoolArray:
        """Mark the records that need not be decoded: a newer one of their key is in the same fetch.

        Args:
            key: int64 [n], hashes of the keys, in the order of the records.

        Returns:
            bool [n]; all False where no policy conflates.
        """
        return superseded(key) if self._conflates else np.zeros(len(key), np.bool_)

    def offered(self, count: int, now_ns: int) -> None:
        """So many events arrived that are not offered: they were given up before they were decoded."""
        self._rate.add(count, now_ns)

    def backlog(self, partition: int, *, behind: int, newest_ns: int, now_ns: int) -> None:
        """All that was fetched of a partition was too old.

        Args:
            partition: which one.
            behind: records that are still to be fetched of it.
            newest_ns: the newest timestamp of what was fetched.
            now_ns: the present instant.
        """
        if self._skipper is None:
            return
        target_ns = self._skipper.target_ns(
            partition,
            behind=behind,
            newest_ns=newest_ns,
            soonest_ns=self._soonest_ns(),
            now_ns=now_ns,
        )
        if target_ns is not None:
            self._skips.append(SkipTo(partition, target_ns))

    def offer(self, offered: Offered, now_ns: int) -> None:
        """Take events of one partition into the queue."""
        if not len(offered):
            return
        self._rate.add(len(offered), now_ns)
        if offered.cost is not None:
            # What is larger than any batch runs alone, and takes as long as one.
            offered = replace(offered, cost=np.clip(offered.cost, 1e-9, self._size_max))
            self._former.has_costs = True
        self._former.has_values = self._former.has_values or offered.value is not None
        self._shedding.offer(offered, now_ns)

    def withdraw(self, partition: int) -> Int64Array:
        """Take the waiting events of a partition out; gives their numbers."""
        return self._lanes.withdraw(partition)

    def withdraw_all(self) -> Int64Array:
        """Take all waiting events out; gives their numbers."""
        return self._lanes.remove(np.ones(len(self._lanes), np.bool_))

    def take_shed(self) -> tuple[Shed, ...]:
        """What was given up and nobody has asked for."""
        return self._shedding.pop()

    @property
    def oldest_waiting(self) -> int | None:
        """The lowest number among the waiting events; None where none waits."""
        numbers = [int(q.column(NUMBER).min()) for q in self._lanes.queues if len(q)]
        return min(numbers, default=None)

    def next_action(
        self, now_ns: int, *, draining: bool = False, within_ns: int | None = None
    ) -> Step:
        """What is to be done now; to be asked again until it is ``Idle`` or ``WaitUntil``.

        Args:
            now_ns: the present instant.
            draining: whether nothing more will come, so that waiting for it is in vain.
            within_ns: how long a batch may take; None for as long as its deadlines allow.
        """
        if self._skips:
            return Step(self._shedding.pop(), self._skips.pop())
        if not self._slots.free or not len(self._lanes):
            return Step(self._shedding.pop(), Idle())
        probe = False
        if self._expires:
            soonest_ns = now_ns + self._soonest_ns()
            latest_ns = max(queue.latest_ns for queue in self._lanes.queues if len(queue))
            probe = latest_ns < soonest_ns and self._probe_due(now_ns)
            if probe and latest_ns >= soonest_ns - self._send.send_ns:
                # In time but for the sending: that may be what is wrong, and what is given up is never sent.
                self._send.forget()
            if not probe:
                self._shedding.expire(soonest_ns)
                if not len(self._lanes):
                    return Step(self._shedding.pop(), Idle())
        send_ns = self._send.send_ns
        variant = self._choose(now_ns, send_ns)
        if probe:
            formed = self._former.last()
            self._shedding.expire(1 << 62)
        else:
            self._shedding.look(now_ns, self._curve_ns(variant), send_ns)
            formed, variant = self._form(
                variant, now_ns, send_ns, draining=draining, within_ns=within_ns
            )
        if formed.wait_until_ns is not None:
            return Step(self._shedding.pop(), WaitUntil(formed.wait_until_ns))
        if not len(formed.number):
            return Step(self._shedding.pop(), Idle())
        return Step(self._shedding.pop(), self._start(formed, variant, now_ns, probe, draining))

    def _form(
        self, variant: int, now_ns: int, send_ns: int, *, draining: bool, within_ns: int | None
    ) -> tuple[Formed, int]:
        """The next batch of the variant that is chosen, or of the first below it that can still serve anything."""
        drop = self._slots.free == 1
        while True:
            curve = self._curve_ns(variant)
            if within_ns is not None:
                curve = curve[: max(1, int(curve.searchsorted(within_ns, side="right")))]
            formed = self._former.form(now_ns, curve, send_ns, draining=draining, drop=drop)
            self._shedding.pass_over(formed.dropped)
            served = len(formed.number) or formed.wait_until_ns is not None
            if served or variant == len(self._variants) - 1:
                return formed, variant
            variant += 1

    def _start(self, formed: Formed, variant: int, now_ns: int, probe: bool, draining: bool) -> Run:  # noqa: FBT001
        run = next(self._run_numbers)
        self._slots.free -= 1
        latency = self._variants[variant].latency
        end_by_ns = formed.earliest_ns - self._send.send_ns
        self._running[run] = Running(
            now_ns,
            formed.size,
            len(formed.number),
            end_by_ns,
            latency,
            probe,
            now_ns + latency.predict_ns(formed.size) <= end_by_ns,
        )
        self._last_run_ns = now_ns
        reason: BatchReason = "drain" if draining and formed.bound == "idle" else formed.bound
        number = formed.number if len(formed.number) == 1 else np.sort(formed.number)
        cost = formed.size if self._former.has_costs else 0
        return Run(run, number, reason, variant, cost)

    def complete(
        self, run: int, finished_ns: int, *, failed: bool = False, stopped: bool = False
    ) -> None:
        """A run has ended.

        Args:
            run: its number.
            finished_ns: when.
            failed: True where the model raised; its time then teaches nothing.
            stopped: True where it was stopped: it would have taken longer.

        Raises:
            InvariantError: no such run is under way.
        """
        if run not in self._running:
            msg = f"run {run} is not under way: it was completed twice or never started"
            raise InvariantError(msg)
        ran = self._running.pop(run)
        self._slots.free += 1
        if failed:
            return
        latency = ran.latency  # of the model that ran: it may have been replaced since
        took_ns = finished_ns - ran.started_ns
        if stopped and took_ns < latency.predict_ns(ran.size):
            return
        if ran.probe and took_ns < latency.predict_ns(ran.size):
            latency.forget()
        in_time = finished_ns <= ran.end_by_ns
        if ran.fits:
            latency.judge(ran.size, took_ns, in_time=in_time)
        latency.observe(ran.size, took_ns)
        self._former.completed(ran.count, in_time=in_time)

    def acknowledged(self, decided_ns: int, acknowledged_ns: int) -> None:
        """Decisions made at one instant were acknowledged by the broker at another."""
        self._send.observe(acknowledged_ns - decided_ns)

    def _choose(self, now_ns: int, send_ns: int) -> int:
        """The variant for the next batch."""
        if len(self._variants) == 1:
            return 0
        waiting = [queue.deadlines_ns for queue in self._lanes.queues if len(queue)]
        return self._ladder.choose(
            deadline_ns=waiting[0] if len(waiting) == 1 else np.sort(np.concatenate(waiting)),
            rate_per_s=self._rate.fast_per_s(now_ns),
            now_ns=now_ns,
            send_ns=send_ns,
            slots=self._slots.total,
        )

    def _curve_ns(self, variant: int) -> Int64Array:
        """int64 [size_max], a variant's times; the same array for as long as they stay the same."""
        run_ns = self._variants[variant].latency.run_ns
        curve = self._curves[variant]
        if curve is None or curve.base is not run_ns:
            curve = self._curves[variant] = run_ns[: self._size_max]
        return curve

    def _soonest_ns(self) -> int:
        """How long the quickest answer takes: a batch of one of the quickest variant that may decide, and its sending."""
        may = self._variants[min(self._floor, len(self._variants) - 1) :]
        return min(int(v.latency.run_ns[0]) for v in may) + self._send.send_ns

    def _probe_due(self, now_ns: int) -> bool:
        return not self._running and now_ns - self._last_run_ns >= self._probe_every_ns

"""The scheduler: an object that asks and answers, in the way of a sans-I/O protocol library.

``offer`` events, ask for the ``next_action``, carry it out, report back with ``complete`` and
``acknowledged``. It holds no clock, starts no thread and awaits nothing; the service, the tests and the
player drive the same one.
"""

from collections.abc import Sequence

import numpy as np

from streamproc.core import BoolArray, Int64Array, InvariantError, Reason
from streamproc.scheduling.ladder import Variant
from streamproc.scheduling.lanes import LaneSpec
from streamproc.scheduling.latency_model import SendLatency
from streamproc.scheduling.offered import Offered
from streamproc.scheduling.options import Batching, Ordering
from streamproc.scheduling.planners import work_conserving
from streamproc.scheduling.policies import expired
from streamproc.scheduling.policies.options import Expired, ShedPolicy
from streamproc.scheduling.queue import DeadlineQueue
from streamproc.scheduling.steps import BatchReason, Idle, Run, Shed, Step

PROBE_EVERY_NS = 250_000_000
"""When no event seems to fit its deadline, one is run so often all the same: the model may be wrong, and
would never learn it from events that are all given up."""


class Scheduler:
    """Decides which events run together, when, and which are given up.

    Args:
        batching: how micro-batches are made.
        shed: the policies that may give events up; with none, all are run however late.
        ordering: whose events must not overtake each other.
        variants: of the model, the best first.
        send: how long a decision takes to the broker.
        slots: how many batches may run at the same time.
        lanes: the lanes, the last of which takes what no other does.
    """

    def __init__(
        self,
        *,
        batching: Batching,
        shed: Sequence[ShedPolicy],
        ordering: Ordering,
        variants: Sequence[Variant],
        send: SendLatency,
        slots: int,
        lanes: Sequence[LaneSpec] = (LaneSpec("default"),),
    ) -> None:
        latency = variants[0].latency
        self._size_max = min(batching.max_size, len(latency.run_ns))
        self._sheds = any(isinstance(policy, Expired) for policy in shed)
        self._latency = latency
        self._lanes = lanes
        self._send = send
        self._slots_free = slots
        self._queue = DeadlineQueue(keep_order=ordering != "none")
        self._running: dict[int, tuple[int, int, bool]] = {}
        self._runs_total = 0
        self._last_run_ns = 0

    @property
    def queue_depth(self) -> int:
        """Events that wait."""
        return len(self._queue)

    @property
    def send_ns(self) -> int:
        """The time that a decision needs to the broker's acknowledgement."""
        return self._send.send_ns

    def hopeless(self, deadline_ns: Int64Array, now_ns: int) -> BoolArray:
        """Mark the events that need not even be decoded: they would be shed at once.

        Args:
            deadline_ns: int64 [n], the latest that each event's deadline can be.
            now_ns: the present instant.

        Returns:
            bool [n]; all False where no policy sheds, or where it is time to try one all the same.
        """
        if not self._sheds or self._probe_due(now_ns):
            return np.zeros(len(deadline_ns), np.bool_)
        return expired(deadline_ns, now_ns=now_ns, soonest_ns=self._soonest_ns())

    def offer(self, offered: Offered, now_ns: int) -> None:
        """Take events of one partition into the queue."""
        self._queue.push(offered.number, offered.deadline_ns, offered.partition)

    @property
    def queue_depths(self) -> list[int]:
        """Events that wait, by lane."""
        return [0] * (len(self._lanes) - 1) + [len(self._queue)]

    @property
    def wants_keys(self) -> bool:
        return False

    @property
    def variant(self) -> int:
        return 0

    def demand_workers(self, now_ns: int) -> float:
        return 0.0

    def offered(self, count: int, now_ns: int) -> None:
        pass

    def superseded(self, key_hashes: Int64Array) -> BoolArray:
        return np.zeros(len(key_hashes), np.bool_)

    def backlog(
        self, partition: int, behind: int, newest_timestamp_ns: int, now_ns: int
    ) -> None:
        pass

    def withdraw(self, partition: int) -> Int64Array:
        """Take the waiting events of a partition out; gives their numbers."""
        return self._queue.withdraw(partition)

    def next_action(self, now_ns: int, *, draining: bool = False) -> Step:
        """What is to be done now; to be asked again until it is ``Idle``."""
        if not len(self._queue) or not self._slots_free:
            return Step((), Idle())
        shed, probe = self._shed(now_ns) if self._sheds else ((), False)
        if not len(self._queue):
            return Step(shed, Idle())
        size = min(self._size_max, len(self._queue))
        reason: BatchReason = "full" if size == self._size_max else "idle"
        number = np.sort(self._queue.pop(size))
        self._runs_total += 1
        self._slots_free -= 1
        self._running[self._runs_total] = (now_ns, size, probe)
        self._last_run_ns = now_ns
        return Step(shed, Run(self._runs_total, number, reason))

    def complete(self, run: int, finished_ns: int, *, failed: bool = False) -> None:
        """A run has ended.

        Args:
            run: its number.
            finished_ns: when.
            failed: True where the model raised; its time then teaches nothing.

        Raises:
            InvariantError: no such run is under way.
        """
        if run not in self._running:
            msg = f"run {run} is not under way: it was completed twice or never started"
            raise InvariantError(msg)
        started_ns, size, probe = self._running.pop(run)
        self._slots_free += 1
        if failed:
            return
        took_ns = finished_ns - started_ns
        if probe and took_ns < self._latency.predict_ns(size):
            self._latency.forget()
        self._latency.observe(size, took_ns)

    def acknowledged(self, decided_ns: int, acknowledged_ns: int) -> None:
        """Decisions made at one instant were acknowledged by the broker at another."""
        self._send.observe(acknowledged_ns - decided_ns)

    def _shed(self, now_ns: int) -> tuple[tuple[Shed, ...], bool]:
        """Give up what the next batch could not answer in time; True where what is left is a probe."""
        deadline_ns = self._queue.deadline_ns
        order = None if self._queue.ascending else np.argsort(deadline_ns, kind="stable")
        start = work_conserving(
            deadline_ns if order is None else deadline_ns[order],
            now_ns=now_ns,
            run_ns=self._latency.run_ns[: self._size_max],
            send_ns=self._send.send_ns,
        )
        probe = start == len(deadline_ns) and self._probe_due(now_ns)
        if probe:
            start -= 1
            latest_ns = int(deadline_ns.max())
            if latest_ns >= now_ns + int(self._latency.run_ns[0]):
                # In time but for the sending: that may be what is wrong, and what is given up is never sent.
                self._send.forget()
        if not start:
            return (), probe
        late = np.zeros(len(deadline_ns), np.bool_)
        late[slice(start) if order is None else order[:start]] = True
        return (Shed(np.sort(self._queue.remove(late)), Reason.EXPIRED),), probe

    def _soonest_ns(self) -> int:
        return int(self._latency.run_ns[0]) + self._send.send_ns

    def _probe_due(self, now_ns: int) -> bool:
        return not self._running and now_ns - self._last_run_ns >= PROBE_EVERY_NS

"""A recording through the pipeline on a virtual clock: no broker, no waiting, the same bytes every time.

The engine is the service's own. What drives it is what is to come: records, the ends of batches, acknowledgements;
time jumps from one to the next. Decoding and features take no time here; batches take what the latency model says, and
their outputs are the model's own.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final, Protocol

from streamproc.config import PipelineConfig
from streamproc.connectors.playback import Arrival
from streamproc.core import (
    Executor,
    InvariantError,
    ModelError,
    Reason,
    TopicPartition,
    VirtualClock,
)
from streamproc.engine import Infer, Rescued, Send, Skip
from streamproc.replay.playback.machine import ReplayMachine, Times
from streamproc.replay.playback.tables import TableHistory, needed
from streamproc.runtime import Assembly, Ran, Watch, assemble, attempt, saved, try_again, unwatched
from streamproc.telemetry import Accounts

IN_FLIGHT_MAX: Final = 16_384
"""As the service: more is not taken in, and waits outside."""
_TOGETHER_MIN: Final = 64
"""As the service: so many events of one instant are taken in before anything is started."""
_NEVER_NS: Final = 1 << 62

Attach = Callable[[Assembly, Callable[[], int]], None]
"""Is shown the pipeline's parts before the first record, to put a tap into its settlement, and how to tell the instant
of the replay."""


class Disturbance(Protocol):
    """What goes wrong in a replay, and when."""

    def run_ns(self, now_ns: int, took_ns: int) -> int:
        """How long a batch takes that begins now, and would take so long."""
        ...

    def failure(self, now_ns: int) -> Exception | None:
        """What the model raises for a batch that begins now; None where it answers."""
        ...

    def acknowledged_ns(self, now_ns: int, at_ns: int) -> int:
        """When the broker acknowledges what is sent now, and would be acknowledged at an instant."""
        ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """What came of a replay.

    Attributes:
        accounts: the books.
        records: how many records came.
        first_ns: when the first came; 0 where none did.
        last_ns: when the last outcome was final.
        held_ns: the longest that a record waited outside because too much was under way.
        stopped: the reload of the live run that it ends before; None where it went to the end.
    """

    accounts: Accounts
    records: int
    first_ns: int
    last_ns: int
    held_ns: int = 0
    stopped: str | None = None

    @property
    def duration_s(self) -> float:
        """From the first record to the last outcome, in the time of the replay."""
        return (self.last_ns - self.first_ns) / 1e9


def replay_virtual(  # noqa: PLR0913 - a pipeline, what comes, and what is looked at
    config: PipelineConfig,
    arrivals: Iterable[Arrival],
    *,
    executors: Sequence[Executor],
    machine: ReplayMachine,
    seed: int = 0,
    attach: Attach | None = None,
    disturbance: Disturbance | None = None,
    watch: Watch = unwatched,
    tables: TableHistory | None = None,
) -> Replayed:
    """Let all of it come to its end.

    Args:
        config: the pipeline.
        arrivals: what comes, and when; see ``arrivals``.
        executors: what gives the outputs, for each variant of the model, the best one's first.
        machine: how long batches and sendings take.
        seed: of the times that are drawn.
        attach: is shown the parts before the first record.
        disturbance: what goes wrong; None for nothing.
        watch: looks at the pipeline's parts; see ``assemble``.
        tables: what lookups found; None where they look into nothing that changes.

    Raises:
        ConfigError: the model's inputs or outputs do not fit the pipeline.
        InvariantError: an event was lost.
    """
    needed(config, tables)
    replay = _Replay(config, executors, machine, seed, attach, watch, tables)
    replay.disturbance = disturbance
    return replay.run(iter(arrivals))


class _Replay:
    """One replay under way."""

    def __init__(
        self,
        config: PipelineConfig,
        executors: Sequence[Executor],
        machine: ReplayMachine,
        seed: int,
        attach: Attach | None,
        watch: Watch,
        tables: TableHistory | None,
    ) -> None:
        self._clock = VirtualClock(0)
        self._executors = executors
        self._assembly = assemble(
            config, executors, self._clock, sweeps=machine.sweeps, watch=watch
        )
        self._engine = self._assembly.engine
        self._accounts = self._assembly.accounts
        if attach is not None:
            attach(self._assembly, self._clock.now_ns)
        self._tables = None if tables is None else tables.fill(config, self._assembly)
        self._times = Times(machine, size_max=config.batching.max_size, seed=seed)
        self._numbers = count()
        self._ends: list[tuple[int, int, Infer, Ran]] = []
        """When each run ends, and how it went: a heap."""
        self._acknowledgements: list[tuple[int, int, int]] = []
        """When each sending is acknowledged, and its ticket: a heap."""
        self._acknowledged_ns: dict[TopicPartition, int] = {}
        self._known: set[TopicPartition] = set()
        self._next: Arrival | None = None
        self._held_ns = 0
        self._records = 0
        self._ended = False
        self.disturbance: Disturbance | None = None

    def run(self, arrivals: Iterator[Arrival]) -> Replayed:
        """All of it."""
        self._next = next(arrivals, None)
        first_ns = 0 if self._next is None else self._next.due_ns
        self._clock.advance_to(first_ns)
        while True:
            # What is acknowledged changes nothing that could be started: it needs no turn, as in the service.
            ended, came = self._report(), self._take_in(arrivals)
            if ended or came or self._is_woken:
                self._turn()
            if self._next is None and not self._engine.draining:
                self._end()
            next_ns = self._next_ns()
            if next_ns == _NEVER_NS:
                break
            self._clock.advance_to(next_ns)
        self._accounts.check()
        last_ns = self._clock.now_ns()
        return Replayed(self._accounts, self._records, first_ns, last_ns, self._held_ns)

    def _end(self) -> None:
        """Nothing more comes: what waits for others to come goes on as time passes, then nothing waits any more."""
        order = self._engine.order
        if order is not None and not self._ended:
            self._ended = True
            self._engine.at_ends(self._engine.owned())
        if order is None or not order.waiting_total:
            self._engine.draining = True
        self._turn()

    def _next_ns(self) -> int:
        """When something happens next."""
        wake_ns = self._engine.wake_ns
        next_ns = _NEVER_NS if wake_ns is None else wake_ns
        if self._ends:
            next_ns = min(next_ns, self._ends[0][0])
        if self._acknowledgements:
            next_ns = min(next_ns, self._acknowledgements[0][0])
        if self._next is not None and self._has_room:
            next_ns = min(next_ns, self._next.due_ns)
        if next_ns == _NEVER_NS and self._next is not None:
            msg = f"{self._accounts.in_flight} events are under way, and nothing is to come of them"
            raise InvariantError(msg)
        return next_ns

    @property
    def _has_room(self) -> bool:
        order = self._engine.order
        waiting = 0 if order is None else order.waiting_total
        return self._accounts.in_flight - waiting < IN_FLIGHT_MAX

    @property
    def _is_woken(self) -> bool:
        """Whether the engine has asked to be asked again by now."""
        wake_ns = self._engine.wake_ns
        return wake_ns is not None and wake_ns <= self._clock.now_ns()

    def _report(self) -> bool:
        """Tell the engine what has come to its end; True where a batch has."""
        now_ns, ended = self._clock.now_ns(), False
        while self._acknowledgements and self._acknowledgements[0][0] <= now_ns:
            at_ns, _, ticket = heapq.heappop(self._acknowledgements)
            self._engine.acknowledged(ticket, at_ns)
        while self._ends and self._ends[0][0] <= now_ns:
            at_ns, _, infer, ran = heapq.heappop(self._ends)
            if isinstance(ran.outputs, Exception):
                self._engine.failed(infer.run, ran.outputs, at_ns)
            else:
                other = None if ran.variant == infer.variant else ran.variant
                self._engine.completed(infer.run, ran.outputs, at_ns, variant=other)
            ended = True
        return ended

    def _take_in(self, arrivals: Iterator[Arrival]) -> bool:
        """Give the engine what has come, as the service's intake does; True where there is more to be done."""
        now_ns, untouched = self._clock.now_ns(), 0
        while self._next is not None and self._next.due_ns <= now_ns and self._has_room:
            due_ns, batch, lap = self._next
            if self._tables is not None:
                self._tables.at = (batch.arrival_ns, lap)
            self._next = next(arrivals, None)
            self._held_ns = max(self._held_ns, now_ns - due_ns)
            if batch.source not in self._known:
                self._known.add(batch.source)
                self._engine.assigned({batch.source: int(batch.offset[0])})
            if batch.arrival_ns != now_ns:
                batch = replace(batch, arrival_ns=now_ns)
            self._records += len(batch)
            self._engine.ingest(batch)
            untouched += len(batch)
            if untouched >= _TOGETHER_MIN:
                self._turn()
                untouched = 0
        return untouched > 0

    def _turn(self) -> None:
        """Do what the engine asks for: all that it can ask for at this instant, since nothing ends in it."""
        now_ns = self._clock.now_ns()
        for effect in self._engine.next_effects(now_ns):
            match effect:
                case Send() as send:
                    self._send(send, now_ns)
                case Infer() as infer:
                    self._infer(infer, now_ns)
                case Skip(source=source):
                    self._engine.skipped(source, None)  # what it would jump over was not recorded

    def _infer(self, infer: Infer, now_ns: int) -> None:
        """Run a batch as the service does, with what that tries where it fails; it takes the variant's time once."""
        # Executors that mind the time mind the machine's, to which the recording's instants are long over.
        timeless = replace(infer, deadline_ns=None, stop=None)
        ran = attempt(self._executors, timeless, self._clock)
        ran = try_again(self._executors, infer, ran, self._clock)
        took_ns = self._times.run_ns(ran.variant, infer.cost or infer.size)
        if self.disturbance is not None:
            took_ns = self.disturbance.run_ns(now_ns, took_ns)
            ran = replace(ran, outputs=self.disturbance.failure(now_ns) or ran.outputs)
        if infer.stop is not None and now_ns + took_ns > infer.stop.until_ns:
            ran, took_ns = self._stopped(infer, ran, now_ns)
        heapq.heappush(self._ends, (now_ns + took_ns, next(self._numbers), infer, ran))

    def _stopped(self, infer: Infer, ran: Ran, now_ns: int) -> tuple[Ran, int]:
        """What is left of a batch that took too long, and its time, with that of the variant that answered instead."""
        at_ns = max(now_ns, infer.stop.until_ns if infer.stop else now_ns)
        error = ModelError(Reason.STOPPED, "no answer could be in time any more")
        outputs, variant = saved(self._executors, infer, error, at_ns)
        took_ns = at_ns - now_ns
        if isinstance(outputs, Rescued):
            took_ns += self._times.run_ns(variant, infer.cost or infer.size)
        return replace(ran, outputs=outputs, variant=variant), took_ns

    def _send(self, send: Send, now_ns: int) -> None:
        """The broker acknowledges a partition's records in their order."""
        source = send.records.source
        at_ns = max(now_ns + self._times.send_ns(), self._acknowledged_ns.get(source, 0))
        if self.disturbance is not None:
            at_ns = self.disturbance.acknowledged_ns(now_ns, at_ns)
        self._acknowledged_ns[source] = at_ns
        heapq.heappush(self._acknowledgements, (at_ns, next(self._numbers), send.ticket))

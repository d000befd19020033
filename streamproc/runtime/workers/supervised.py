"""One worker as its parent sees it: over all its lives, started again when one is over."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from streamproc.config import PipelineConfig
from streamproc.core import NS_PER_MS, NS_PER_S, Clock, ExternalError, ModelInfo
from streamproc.runtime.workers.messages import (
    Brake,
    Failed,
    Job,
    Order,
    Reload,
    Reloaded,
    Report,
    Snapshot,
    Warm,
)
from streamproc.slo import Measures
from streamproc.telemetry import Accounts

log = logging.getLogger(__name__)

BACKOFF_MIN_NS = 100 * NS_PER_MS
BACKOFF_MAX_NS = 5 * NS_PER_S
"""With the 3 s of a start it stays within a session of 10 s: a record that kills whoever reads it then stays
with the worker that has its partition, and does not go round and kill the others."""
_RELOAD_S = 300.0
"""A large model may load and warm for minutes; what ran goes on meanwhile."""
_STEADY_NS = 30 * NS_PER_S
"""A worker that was ready for so long begins again with the shortest backoff."""
_FAILURES_MAX = 5
"""So often in a row a worker may say why it cannot go on, where waiting does not help."""


class Life(Protocol):
    """A process that does a job; ``WorkerProcess`` says more."""

    @property
    def pid(self) -> int:
        """Its number."""
        ...

    def tell(self, order: Order) -> None:
        """Send it an order."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...

    async def live(self, hear: Callable[[Report], None]) -> str:
        """Hand on what it reports until it is over; gives how it ended, in words."""
        ...


StartLife: TypeAlias = Callable[[Job], Awaitable[Life]]


class SupervisedWorker:
    """Runs a job in a process, and in another one when that has died.

    Args:
        job: what it does.
        start: starts a process that does it.
        books: makes empty books.
        clock: the time.
        redact: takes secrets out of a text.

    Attributes:
        number: the job's.
        gone: the books of lives that are over.
        snapshot: what the present one last told; None where it has told nothing yet.
        models: its model, all variants of it, once it was warm.
        forgiven: True to start it again whatever it dies of; before, its first death is the end.
    """

    def __init__(
        self,
        job: Job,
        *,
        start: StartLife,
        books: Callable[[], Accounts],
        clock: Clock,
        redact: Callable[[str], str],
    ) -> None:
        self.number = job.number
        self.gone = books()
        self.snapshot: Snapshot | None = None
        self.models: Sequence[ModelInfo] = ()
        self.forgiven = False
        self._job = job
        self._start = start
        self._clock = clock
        self._redact = redact
        self._process: Life | None = None
        self._failed: Failed | None = None
        self._may_join = False
        self._paused = False
        self._measures = Measures()
        self._warm = False
        self._stopping = asyncio.Event()
        self._silent_looks = 0
        self._ready_since_ns: int | None = None
        self._gone_cpu_ns = 0
        self._backoff_ns = BACKOFF_MIN_NS
        self._failures = 0
        self._starts = 0
        self._reloading: asyncio.Future[None] | None = None

    @property
    def restarts(self) -> int:
        """How often it was started again."""
        return max(0, self._starts - 1)

    @property
    def readiness(self) -> Mapping[str, bool]:
        """What its readiness waits for, and whether it is there."""
        return {"start": False} if self.snapshot is None else self.snapshot.readiness

    @property
    def state(self) -> str:
        """``starting``, ``ready`` or ``down``."""
        if self._process is None:
            return "down"
        return "ready" if all(self.readiness.values()) else "starting"

    @property
    def cpu_ns(self) -> int:
        """What all its processes have used since they joined."""
        return self._gone_cpu_ns + (self.snapshot.cpu_ns if self.snapshot else 0)

    def add_to(self, accounts: Accounts) -> None:
        """Add what all its processes have counted."""
        accounts.merge(self.gone)
        if self.snapshot is not None:
            accounts.merge(self.snapshot.accounts)

    def join(self) -> None:
        """Let it join the group as soon as it is warm, now and in its next lives."""
        self._may_join = True
        if self._warm and self._process is not None:
            self._process.tell("join")

    def pause(self) -> None:
        """Let it take in nothing more, now and in its next lives."""
        self._paused = True
        if self._process is not None:
            self._process.tell("pause")

    def resume(self) -> None:
        """Let it take in again."""
        self._paused = False
        if self._process is not None:
            self._process.tell("resume")

    def brake(self, measures: Measures) -> None:
        """Let it do this about a burning budget, now and in its next lives."""
        self._measures = measures
        if self._warm and self._process is not None:
            self._process.tell(Brake(measures))

    def stop(self) -> None:
        """Let it finish what it has taken in, and end for good."""
        self._stopping.set()
        if self._process is not None:
            self._process.tell("stop")

    def kill(self) -> None:
        """End its process at once."""
        if self._process is not None:
            self._process.kill()

    async def reload(self, config: PipelineConfig) -> None:
        """Let it go on with another configuration; one that is down or starts has it from its next life on.

        Raises:
            Exception: why it does not; it goes on as before.
        """
        if self._process is None or not self._warm:
            return
        self._reloading = reloading = asyncio.get_running_loop().create_future()
        self._process.tell(Reload(config))
        try:
            async with asyncio.timeout(_RELOAD_S):
                await reloading
        except TimeoutError:
            msg = f"worker {self.number} did not say within {_RELOAD_S:.0f} s how its reload went"
            raise ExternalError(msg) from None
        finally:
            self._reloading = None

    def keep(self, config: PipelineConfig) -> None:
        """Start with this configuration from the next life on."""
        self._job = replace(self._job, config=config)

    @property
    def config(self) -> PipelineConfig:
        """What it starts with."""
        return self._job.config

    def _reloaded(self, error: Exception | None) -> None:
        if self._reloading is not None and not self._reloading.done():
            if error is None:
                self._reloading.set_result(None)
            else:
                self._reloading.set_exception(error)

    def look(self, looks_max: int) -> None:
        """Kill it if it has told nothing for so many looks, once it has told something at all.

        Looks are counted, and not time: a machine that was asleep wakes with everybody silent for hours.
        """
        if self.snapshot is None or self._process is None:
            return
        self._silent_looks += 1
        if self._silent_looks == looks_max:
            log.warning("worker %d (pid %d) hangs: it is killed", self.number, self._process.pid)
            self.kill()

    async def run(self) -> None:
        """Live until told to stop; cancelled, its process is killed.

        Raises:
            Exception: what a worker that is not forgiven, or too often said the same, died of.
        """
        while not self._stopping.is_set():
            try:
                ended = await self._live()
            except OSError as error:
                ended = f"could not be started: {error}"
            self._bury()
            if self._stopping.is_set():
                if self._failed is not None or "killed" in ended:
                    self._warn(ended, "while it was finishing: the next owner decides what is left")
                return
            self._give_up_or_wait_longer(ended)
            self._warn(ended, f"started again in {self._backoff_ns / NS_PER_S:.1f} s")
            await _set_or_after(self._stopping, self._backoff_ns / NS_PER_S)

    async def _live(self) -> str:
        """One life; gives how it ended."""
        self._failed, self._silent_looks = None, 0
        self._process = await self._start(self._job)
        self._starts += 1
        try:
            if self._stopping.is_set():
                self._process.tell("stop")
            if self._paused:
                self._process.tell("pause")
            return await self._process.live(self._hear)
        finally:
            self._process = None

    def _hear(self, report: Report) -> None:
        self._silent_looks = 0
        match report:
            case Warm(models=models):
                self.models, self._warm = models, True
                if self._measures != Measures() and self._process is not None:
                    self._process.tell(Brake(self._measures))
                if self._may_join:
                    self.join()
            case Reloaded(models=models, error=error):
                self.models = models
                self._reloaded(error)
            case Failed():
                self._failed = report
            case Snapshot():
                self.snapshot = report
                if self._ready_since_ns is None and all(report.readiness.values()):
                    self._ready_since_ns = self._clock.now_ns()

    def _bury(self) -> None:
        """Put the books of the life that is over to those before it."""
        if self.snapshot is not None:
            self.gone.merge(self.snapshot.accounts)
            # What it had in hand is read again, by itself or by another.
            self.gone.handed_back += self.snapshot.accounts.in_flight
            self._gone_cpu_ns += self.snapshot.cpu_ns
        self.snapshot, self._warm = None, False
        self._reloaded(ExternalError(f"worker {self.number} died while it reloaded"))

    def _give_up_or_wait_longer(self, ended: str) -> None:
        """Settle how long the next start is waited for.

        Raises:
            Exception: why there is none.
        """
        now_ns = self._clock.now_ns()
        since_ns, self._ready_since_ns = self._ready_since_ns, None
        if self._starts <= 1 or (since_ns is not None and now_ns - since_ns >= _STEADY_NS):
            self._backoff_ns, self._failures = BACKOFF_MIN_NS, 0
        else:
            self._backoff_ns = min(2 * self._backoff_ns, BACKOFF_MAX_NS)
        if self._failed is not None and not self._failed.may_pass:
            self._failures += 1
        if self.forgiven and self._failures < _FAILURES_MAX:
            return
        if self._failed is not None:
            raise self._failed.error
        msg = f"worker {self.number} {ended} before all were ready"
        raise ExternalError(msg)

    def _warn(self, ended: str, what: str) -> None:
        why = f": {self._failed.error}" if self._failed else ""
        log.warning("worker %d %s; %s", self.number, self._redact(f"{ended}{why}"), what)


async def _set_or_after(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, at most so long."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()

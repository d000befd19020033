"""The parent: starts workers, restarts those that die, adds up what they say, and serves it."""

import asyncio
import contextlib
import logging
import multiprocessing
import pickle
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from streamproc.config import PipelineConfig
from streamproc.core import NS_PER_MS, NS_PER_S, Clock, ConfigError, ExternalError, ModelInfo
from streamproc.runtime.endpoints import endpoints
from streamproc.runtime.scheduling import make_accounts
from streamproc.runtime.service import DRAIN_GRACE_NS
from streamproc.runtime.workers.messages import Failed, Job, Order, Report, Snapshot, Warm
from streamproc.runtime.workers.slots import Slots
from streamproc.runtime.workers.totals import total
from streamproc.runtime.workers.worker import main
from streamproc.telemetry import Accounts, Gauges, Metrics, Summary, WorkerStates

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.1
_BACKOFF_NS = 100 * NS_PER_MS
_BACKOFF_MAX_NS = 10 * NS_PER_S
_STEADY_NS = 30 * NS_PER_S
"""A worker that was ready for so long begins again with the shortest backoff."""
_STARTS_MAX = 5
"""A worker that dies so many times in a row without ever having been ready will not be."""
_END_GRACE_NS = DRAIN_GRACE_NS + 15 * NS_PER_S
"""How long the workers may take to end: their drains, the last commits and the leaving of Kafka."""


class WorkerGroup:
    """Runs a pipeline in several processes.

    The user's program must be importable without running it: ``if __name__ == "__main__":``.

    Args:
        config: the pipeline.
        count: how many workers.
        clock: the time.
        stop_after: end when about so many events have their outcome; None for no end.
        stop_when_idle_ns: end when nothing came to any worker for so long; None for no end.
        on_ready: is told the address of the HTTP endpoints when all workers have joined.
    """

    def __init__(
        self,
        config: PipelineConfig,
        count: int,
        *,
        clock: Clock,
        stop_after: int | None = None,
        stop_when_idle_ns: int | None = None,
        on_ready: Callable[[str | None], None] | None = None,
    ) -> None:
        self._config = config
        self._count = count
        self._clock = clock
        self._stop_after = stop_after
        self._stop_when_idle_ns = stop_when_idle_ns
        self._on_ready = on_ready
        self._workers: list[_Worker] = []
        self._gone = make_accounts(config)
        self._stopping = asyncio.Event()
        self._failure: Exception | None = None
        self._started_ns = clock.now_ns()
        self._busy = (0, clock.now_ns())

    def stop(self) -> None:
        """Ask for the end: the workers finish what they have taken in."""
        self._stopping.set()

    async def run(self) -> Summary:
        """Run to the end.

        Returns:
            the summary of all that the workers consumed.

        Raises:
            ConfigError: a worker says that the configuration is wrong.
            ExternalError: no worker could be brought up.
        """
        group = self._config.source.group_id or self._config.name
        with Slots(f"{self._config.source.bootstrap_servers} {group}", self._count) as slots:
            self._workers = [
                _Worker(self._job(number, name), self._clock)
                for number, name in enumerate(slots.names)
            ]
            async with self._endpoints() as address:
                try:
                    await self._look_after(address)
                finally:
                    await self._end()
        if self._failure is not None:
            raise self._failure
        return self.summary()

    def accounts(self) -> Accounts:
        """The books of all workers, those of dead ones as they last told them."""
        merged = make_accounts(self._config)
        merged.merge(self._gone)
        for worker in self._workers:
            if worker.snapshot is not None:
                merged.merge(worker.snapshot.accounts)
        return merged

    def summary(self) -> Summary:
        """How things stand."""
        duration_s = (self._clock.now_ns() - self._started_ns) / NS_PER_S
        cpu_ns = sum(worker.cpu_ns for worker in self._workers)
        summary = self.accounts().summary(duration_s, cpu_ns / NS_PER_S)
        restarts = sum(worker.restarts for worker in self._workers)
        return {**summary, "workers": {"count": self._count, "restarts": restarts}}

    def gauges(self) -> Gauges:
        """What is waiting in all workers."""
        gauges = [worker.snapshot.gauges for worker in self._workers if worker.snapshot]
        states = [worker.state for worker in self._workers]
        workers = WorkerStates(
            {state: states.count(state) for state in ("starting", "ready", "down")},
            sum(worker.restarts for worker in self._workers),
        )
        return total(gauges, workers)

    def readiness(self) -> Mapping[str, bool]:
        """What readiness waits for, by worker."""
        return {
            f"worker {worker.job.number} {what}": there
            for worker in self._workers
            for what, there in worker.readiness.items()
        }

    def _job(self, number: int, name: str) -> Job:
        source = self._config.source
        source = replace(source, group_instance_id=source.group_instance_id or name)
        if (
            source.group_instance_id != name
        ):  # the user's prefix tells hosts apart, the number workers
            source = replace(source, group_instance_id=f"{source.group_instance_id}-{number}")
        telemetry = replace(self._config.telemetry, metrics=Metrics(listen=None))
        config = replace(self._config, source=source, telemetry=telemetry)
        return Job(config, number, logging.getLogger().getEffectiveLevel())

    @contextlib.asynccontextmanager
    async def _endpoints(self) -> AsyncIterator[str | None]:
        async with endpoints(
            self._config.telemetry.metrics.listen,
            accounts=self.accounts,
            gauges=self.gauges,
            models=self.models,
            readiness=self.readiness,
        ) as address:
            yield address

    def models(self) -> list[ModelInfo]:
        """The models that the workers have loaded, each once."""
        return list(dict.fromkeys(model for worker in self._workers for model in worker.models))

    async def _look_after(self, address: str | None) -> None:
        """Start the workers, and start those again that die, until the end is asked for."""
        joined = False
        for worker in self._workers:
            worker.start()
        while not self._stopping.is_set():
            for worker in self._workers:
                self._look_at(worker)
            if self._failure is not None:
                return
            if not joined and all(worker.models for worker in self._workers):
                joined = True
                self._started_ns = self._clock.now_ns()
            for worker in self._workers:
                if joined:
                    worker.join()
            if joined and self._on_ready is not None and all(w.was_ready for w in self._workers):
                self._on_ready(address)
                self._on_ready = None
            if self._is_done():
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._stopping.wait()

    def _look_at(self, worker: "_Worker") -> None:
        """Start a worker again that died, when its time has come."""
        ended = worker.ended()
        if ended is None:
            return
        if worker.failed is not None and worker.failed.config:
            self._failure = ConfigError(worker.failed.text)
            return
        if worker.due_ns is None:
            self._gone.merge(worker.buried())
            if worker.starts_in_vain >= _STARTS_MAX:
                why = worker.failed.text if worker.failed else ended
                self._failure = ExternalError(
                    f"worker {worker.job.number} ended {_STARTS_MAX} times before it was ready: {why}"
                )
                return
            log.warning(
                "worker %d %s%s; started again in %.1f s",
                worker.job.number,
                ended,
                f": {worker.failed.text}" if worker.failed else "",
                worker.backoff_ns / NS_PER_S,
            )
            worker.due_ns = self._clock.now_ns() + worker.backoff_ns
        elif self._clock.now_ns() >= worker.due_ns:
            worker.start()

    def _is_done(self) -> bool:
        accounts, now_ns = self.accounts(), self._clock.now_ns()
        if self._stop_after is not None and accounts.consumed >= self._stop_after:
            return True
        if accounts.fetched != self._busy[0] or accounts.in_flight or self._on_ready is not None:
            self._busy = (accounts.fetched, now_ns)
        idle_ns = now_ns - self._busy[1]
        return self._stop_when_idle_ns is not None and idle_ns >= self._stop_when_idle_ns

    async def _end(self) -> None:
        """Let all workers finish and end; those that do not are killed."""
        for worker in self._workers:
            worker.tell("stop")
        until_ns = self._clock.now_ns() + _END_GRACE_NS
        while any(worker.ended() is None for worker in self._workers):
            if self._clock.now_ns() > until_ns:
                log.warning("not all workers ended in time: they are killed")
                break
            await asyncio.sleep(_LOOK_EVERY_S / 5)
        for worker in self._workers:
            worker.kill()


class _Worker:
    """One worker's process, as its parent sees it.

    Attributes:
        job: what it does.
        snapshot: what it last told; None where it has told nothing yet.
        model: its model, once it is warm.
        failed: why it could not go on, where it said so.
        was_ready: whether it was ever ready since its start.
        restarts: how often it was started again.
        starts_in_vain: how often in a row it died before it was ready.
        backoff_ns: how long the next start is waited for.
        due_ns: when that is; None while it runs.
    """

    def __init__(self, job: Job, clock: Clock) -> None:
        self.job = job
        self._clock = clock
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._cpu_ns = 0
        self._warm = False
        self._joined = False
        self._ready_since_ns = 0
        self.snapshot: Snapshot | None = None
        self.models: Sequence[ModelInfo] = ()
        self.failed: Failed | None = None
        self.was_ready = False
        self.restarts = -1
        self.starts_in_vain = 0
        self.backoff_ns = _BACKOFF_NS
        self.due_ns: int | None = None

    @property
    def readiness(self) -> Mapping[str, bool]:
        """What its readiness waits for."""
        if self.snapshot is None or self.due_ns is not None:
            return {"start": False}
        return self.snapshot.readiness

    @property
    def state(self) -> str:
        """``starting``, ``ready`` or ``down``."""
        if self.due_ns is not None or self._process is None:
            return "down"
        return "ready" if all(self.readiness.values()) else "starting"

    @property
    def cpu_ns(self) -> int:
        """What all its processes have used."""
        return self._cpu_ns + (self.snapshot.cpu_ns if self.snapshot else 0)

    def start(self) -> None:
        """Start a process."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        # Not a daemon: those may have no children, and the user's code may want some.
        self._process = context.Process(
            target=main, args=(self.job, theirs), name=f"streamproc-worker-{self.job.number}"
        )
        self._process.start()
        theirs.close()
        asyncio.get_running_loop().add_reader(self._pipe.fileno(), self._hear)
        self.restarts += 1
        self.failed, self.due_ns, self.was_ready, self._joined = None, None, False, False

    def join(self) -> None:
        """Let it join the group, once it is warm."""
        if self._warm and not self._joined:
            self._joined = True
            self.tell("join")

    def tell(self, order: Order) -> None:
        """Send it an order; one that is gone does not hear it."""
        if self._pipe is not None:
            with contextlib.suppress(OSError):
                self._pipe.send(order)

    def ended(self) -> str | None:
        """How its process ended, in words; None while it runs."""
        if self._process is None:
            return "was never started"
        if self._process.is_alive():
            return None
        for report in self._reports():
            self._take(report)
        code = self._process.exitcode or 0
        if code < 0:
            return f"(pid {self._process.pid}) was killed by {signal.Signals(-code).name}"
        return f"(pid {self._process.pid}) ended with exit code {code}"

    def buried(self) -> Accounts:
        """What a dead process had counted; forgets it."""
        accounts = make_accounts(self.job.config)
        if self.snapshot is not None:
            accounts.merge(self.snapshot.accounts)
            accounts.handed_back += (
                self.snapshot.accounts.in_flight
            )  # another will decide about them
            self._cpu_ns += self.snapshot.cpu_ns
        self.snapshot = None
        self._warm = False
        self._close()
        self.starts_in_vain = 0 if self.was_ready else self.starts_in_vain + 1
        ran_ns = self._clock.now_ns() - self._ready_since_ns
        steady = self.was_ready and ran_ns >= _STEADY_NS
        self.backoff_ns = _BACKOFF_NS if steady or self.restarts == 0 else min(2 * self.backoff_ns, _BACKOFF_MAX_NS)  # fmt: skip
        return accounts

    def kill(self) -> None:
        """End its process, if it has not ended by itself, and clean up behind it."""
        if self._process is not None:
            if self._process.is_alive():
                self._process.kill()
            self._process.join()
            self._process.close()
            self._process = None
        self._close()

    def _close(self) -> None:
        if self._pipe is not None:
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            self._pipe.close()
            self._pipe = None

    def _hear(self) -> None:
        for report in self._reports():
            self._take(report)

    def _reports(self) -> Iterator[Report]:
        """What it has said and was not read yet."""
        while self._pipe is not None:
            try:
                if not self._pipe.poll():
                    return
                yield pickle.loads(self._pipe.recv_bytes())  # noqa: S301 - of our own process
            except (EOFError, OSError):
                asyncio.get_running_loop().remove_reader(self._pipe.fileno())
                return

    def _take(self, report: Report) -> None:
        match report:
            case Warm(models=models):
                self.models, self._warm = models, True
            case Failed():
                self.failed = report
            case Snapshot():
                self.snapshot = report
                if not self.was_ready and all(report.readiness.values()):
                    self.was_ready = True
                    self._ready_since_ns = self._clock.now_ns()

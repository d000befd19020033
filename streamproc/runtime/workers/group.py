"""The parent: looks after the workers, adds up what they say, and serves it."""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from streamproc.config import PipelineConfig, group_of, kafka_source
from streamproc.core import NS_PER_MS, NS_PER_S, Clock, ModelInfo, process_cpu_ns
from streamproc.runtime.endpoints import endpoints
from streamproc.runtime.reload import check_reload, reloaded
from streamproc.runtime.reloader import Reread
from streamproc.runtime.scheduling import make_accounts
from streamproc.runtime.slo_watch import SloWatch
from streamproc.runtime.slots import Slots
from streamproc.runtime.status import State, actions_of, status_of
from streamproc.runtime.workers.messages import Job
from streamproc.runtime.workers.process import WorkerProcess
from streamproc.runtime.workers.supervised import StartLife, SupervisedWorker
from streamproc.runtime.workers.totals import total
from streamproc.runtime.workers.worker import END_GRACE_NS
from streamproc.slo import Measures
from streamproc.telemetry import Accounts, Gauges, Metrics, Summary, WorkerStates

log = logging.getLogger(__name__)

_LOOK_EVERY_NS = 100 * NS_PER_MS
_STATES = ("starting", "ready", "down")


class WorkerGroup:
    """Runs a pipeline in several processes.

    Until all have been ready once, the death of one is the end of all, as a single process would end: what is
    wrong is said at once. From then on a worker that dies is started again.

    Args:
        config: the pipeline.
        count: how many workers.
        clock: the time.
        stop_after: end when at least so many events have their outcome; None for no end.
        stop_when_idle_ns: end when nothing came to any worker for so long; None for no end.
        on_ready: is told the address of the HTTP endpoints when all workers have joined.
        redact: takes secrets out of what is logged.
        reread: reads the configuration again, for a reload; None keeps it.
        start: starts a worker's process.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that the command settles
        self,
        config: PipelineConfig,
        count: int,
        *,
        clock: Clock,
        stop_after: int | None = None,
        stop_when_idle_ns: int | None = None,
        on_ready: Callable[[str | None], None] | None = None,
        redact: Callable[[str], str] = str,
        reread: Reread | None = None,
        start: StartLife = WorkerProcess.start,
    ) -> None:
        self._config = config
        self._count = count
        self._clock = clock
        self._stop_after = stop_after
        self._stop_when_idle_ns = stop_when_idle_ns
        self._on_ready = on_ready
        self._redact = redact
        self._start = start
        self._reread = reread
        self._slo = SloWatch(config, clock, accounts=self.accounts, brake=self.brake)
        self._one_at_a_time = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._started_ns = clock.now_ns()
        self._cpu_ns = process_cpu_ns()
        self._busy = (0, clock.now_ns())
        self._paused = False
        self._joining = False
        self._running = False
        self._source = kafka_source(config, "--workers")
        self._session_looks = max(1, int(self._source.session_timeout) // _LOOK_EVERY_NS)
        """A worker whose event loop stands still for a session has lost its partitions anyway."""
        self.workers: list[SupervisedWorker] = []

    def stop(self) -> None:
        """Ask for the end: the workers finish what they have taken in."""
        self._stopping.set()

    def kill(self) -> None:
        """End all processes at once, as a crash would."""
        for worker in self.workers:
            worker.kill()

    async def run(self) -> Summary:
        """Run to the end.

        Returns:
            the summary of all that the workers consumed.

        Raises:
            ConfigError: a worker says that the configuration is wrong.
            ExternalError: something outside failed, at the start or for good.
        """
        name = f"{self._source.bootstrap_servers} {group_of(self._config)}"
        with Slots(name, self._count) as slots:
            self.workers = [
                SupervisedWorker(
                    self._job(number, slot),
                    start=self._start,
                    books=self._blank,
                    clock=self._clock,
                    redact=self._redact,
                )
                for number, slot in enumerate(slots.numbers)
            ]
            async with endpoints(
                lambda: self._config.telemetry.metrics,
                accounts=self.accounts,
                gauges=self.gauges,
                models=self.models,
                readiness=self.readiness,
                status=lambda: status_of(self),
                actions=actions_of(self),
                more=(self._slo.collector,),
            ) as address:
                await self._look_after(address)
        return self.summary()

    def pause(self) -> None:
        """Let no worker take in anything more; see ``Service``."""
        self._paused = True
        for worker in self.workers:
            worker.pause()

    def resume(self) -> None:
        """Let the workers take in again."""
        self._paused = False
        for worker in self.workers:
            worker.resume()

    async def reload(self) -> Mapping[str, object]:
        """Let all workers go on with the configuration and the model files as they are now.

        Raises:
            ConfigError: a reload cannot change it, or a worker cannot load the model; that one goes on as before.
            ExternalError: a worker died of it, or does not say how it went.
        """
        reread = self._reread
        async with self._one_at_a_time:
            config = self._config if reread is None else await asyncio.to_thread(reread)
            check_reload(self._config, config)
            anew = [reloaded(worker.config, config) for worker in self.workers]
            pairs = list(zip(self.workers, anew, strict=True))
            ended = await asyncio.gather(
                *(worker.reload(its) for worker, its in pairs), return_exceptions=True
            )
            failed = [error for error in ended if error is not None]
            if failed:
                log.error("%d of %d workers did not reload", len(failed), self._count)
                raise failed[0]
            for worker, its in pairs:
                worker.keep(its)
            self._config = reloaded(self._config, config)
            self._slo.change(self._config)
        models = [{"variant": m.variant, "digest": m.digest} for m in self.models()]
        return {"reloaded": True, "workers": self._count, "models": models}

    def brake(self, measures: Measures) -> None:
        """Let all workers do this about a burning budget."""
        for worker in self.workers:
            worker.brake(measures)

    def objectives(self) -> list[dict[str, Any]]:
        """How the objectives stand, over the books of all workers."""
        return self._slo.view()

    def state(self) -> State:
        """What they are doing."""
        if self._stopping.is_set():
            return "stopping"
        if not self._running:
            return "starting"
        return "paused" if self._paused else "running"

    def accounts(self) -> Accounts:
        """The books of all workers; those of a process that died are as it last told them."""
        merged = self._blank()
        for worker in self.workers:
            worker.add_to(merged)
        return merged

    def summary(self) -> Summary:
        """How things stand."""
        duration_s = (self._clock.now_ns() - self._started_ns) / NS_PER_S
        cpu_ns = process_cpu_ns() - self._cpu_ns + sum(worker.cpu_ns for worker in self.workers)
        summary = self.accounts().summary(duration_s, cpu_ns / NS_PER_S)
        restarts = sum(worker.restarts for worker in self.workers)
        return {**summary, "workers": {"count": self._count, "restarts": restarts}}

    def gauges(self) -> Gauges:
        """What is waiting in all workers."""
        gauges = [worker.snapshot.gauges for worker in self.workers if worker.snapshot]
        states = [worker.state for worker in self.workers]
        workers = WorkerStates(
            by_state={state: states.count(state) for state in _STATES},
            restarts=sum(worker.restarts for worker in self.workers),
            cpu_seconds=sum(worker.cpu_ns for worker in self.workers) / NS_PER_S,
        )
        return total(gauges, workers)

    def models(self) -> list[ModelInfo]:
        """The models that the workers have loaded, each once."""
        return list(dict.fromkeys(model for worker in self.workers for model in worker.models))

    def readiness(self) -> Mapping[str, bool]:
        """What readiness waits for, by worker."""
        return {
            f"worker {worker.number} {what}": there
            for worker in self.workers
            for what, there in worker.readiness.items()
        }

    def _blank(self) -> Accounts:
        return make_accounts(self._config)

    def _job(self, number: int, slot: int) -> Job:
        prefix = self._source.group_instance_id or socket.gethostname()
        source = replace(self._source, group_instance_id=f"{prefix}-{slot}")
        telemetry = replace(self._config.telemetry, metrics=Metrics(listen=None))
        config = replace(self._config, source=source, telemetry=telemetry)
        return Job(config, number, logging.getLogger().getEffectiveLevel())

    async def _look_after(self, address: str | None) -> None:
        """Let the workers live until the end is asked for, and then let them end."""
        lives = {asyncio.create_task(worker.run()) for worker in self.workers}
        stop = asyncio.create_task(self._stopping.wait())
        watching = asyncio.create_task(self._slo.run())
        try:
            while not self._stopping.is_set() and not self._is_done():
                done, _ = await asyncio.wait(
                    {*lives, stop},
                    timeout=_LOOK_EVERY_NS / NS_PER_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                for life in done - {stop}:
                    life.result()
                self._look(address)
        finally:
            stop.cancel()
            watching.cancel()
            for worker in self.workers:
                worker.stop()
            _, late = await asyncio.wait(lives, timeout=END_GRACE_NS / NS_PER_S)
            if late:
                log.warning("%d workers did not end in time: they are killed", len(late))
            for life in late:
                life.cancel()
            await asyncio.gather(stop, watching, *lives, return_exceptions=True)

    def _look(self, address: str | None) -> None:
        """See how the workers are, and let them go on when all have come so far."""
        for worker in self.workers:
            worker.look(self._session_looks)
        if not self._joining and all(worker.models for worker in self.workers):
            self._joining = True
            self._started_ns = self._clock.now_ns()
            for worker in self.workers:
                worker.join()
        if not self._running and all(worker.state == "ready" for worker in self.workers):
            self._running = True
            for worker in self.workers:
                worker.forgiven = True
            if self._on_ready is not None:
                self._on_ready(address)

    def _is_done(self) -> bool:
        if self._stop_after is None and self._stop_when_idle_ns is None:
            return False
        accounts, now_ns = self.accounts(), self._clock.now_ns()
        if self._stop_after is not None and accounts.consumed >= self._stop_after:
            return True
        if accounts.fetched != self._busy[0] or accounts.in_flight or not self._running:
            self._busy = (accounts.fetched, now_ns)
        idle_ns = now_ns - self._busy[1]
        return self._stop_when_idle_ns is not None and idle_ns >= self._stop_when_idle_ns

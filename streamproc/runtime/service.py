"""One running pipeline: started, driven, drained and stopped in order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any

from streamproc.config import PipelineConfig
from streamproc.core import NS_PER_S, Executor, ExternalError, ModelInfo, process_cpu_ns
from streamproc.engine import ScheduleLog
from streamproc.runtime.assembly import Assembly, assemble
from streamproc.runtime.commits import Commits
from streamproc.runtime.credentials import Credentials
from streamproc.runtime.decision_schemas import ask_for_decision_schema
from streamproc.runtime.draining import DrainGrace, run_to_end
from streamproc.runtime.drift import DriftWatch, watch_drift
from streamproc.runtime.driver import Driver
from streamproc.runtime.endpoints import endpoints
from streamproc.runtime.features import rewind
from streamproc.runtime.front_door import FrontDoor, front_door
from streamproc.runtime.gc_watch import gc_pauses
from streamproc.runtime.housekeeping import Heartbeat, SkewWatch, quiet_collector
from streamproc.runtime.intake_loop import IntakeLoop
from streamproc.runtime.loop_watch import LoopWatch
from streamproc.runtime.parts import Parts
from streamproc.runtime.recalling import ChangelogRecall, begin_changelog
from streamproc.runtime.recovery import Recovery
from streamproc.runtime.reloader import Reloader, Reread
from streamproc.runtime.schema_waiting import schema_gate
from streamproc.runtime.slo_watch import SloWatch
from streamproc.runtime.standing import standing
from streamproc.runtime.status import State
from streamproc.runtime.table_topics import TableTopics
from streamproc.runtime.telling import Telling
from streamproc.slo import Measures
from streamproc.telemetry import Accounts, Gauges, Summary

log = logging.getLogger(__name__)


class Service:
    """Runs a pipeline once.

    Args:
        config: what the user wrote.
        parts: what it runs on.
        stop_after: end after so many records; None for no end.
        stop_when_idle_ns: end when nothing came for so long; None for no end.
        on_ready: is told the address of the HTTP endpoints (None: off) when everything is started.
        on_hang: is told, in a thread of its own, that the event loop does not come back, and where it is; None
            where nothing is to be done about it.
        before_join: is waited for when the model is warm, before the group is joined.
        reread: reads the configuration again, for a reload; None keeps it.

    Attributes:
        on_assembled: is shown the pipeline's parts before anything comes; None shows nobody.
        before_commit: is called before positions are stored: the books hold all that they cover.
        watches: whether it looks after its objectives; of several workers the parent does.
    """

    def __init__(
        self,
        config: PipelineConfig,
        parts: Parts,
        *,
        stop_after: int | None = None,
        stop_when_idle_ns: int | None = None,
        on_ready: Callable[[str | None], None] | None = None,
        on_hang: Callable[[str], None] | None = None,
        before_join: Callable[[], Awaitable[None]] | None = None,
        reread: Reread | None = None,
    ) -> None:
        self._config = config
        self._parts = parts
        self._stop_after = stop_after
        self._stop_when_idle_ns = stop_when_idle_ns
        self._on_ready = on_ready
        self._on_hang = on_hang
        self._before_join = before_join or _nothing
        self._telling = Telling(config, parts.clock, self.models)
        self._schedule = parts.schedule
        self.on_assembled: Callable[[Assembly], None] | None = None
        self.before_commit: Callable[[], None] | None = None
        if parts.schedule is None and config.record is not None:
            self._schedule = ScheduleLog(self._telling.schedule)
        self.watches = True
        self._slo: SloWatch | None = None
        self._heartbeat = Heartbeat(parts.clock, self._beat)
        self._skew_watch = SkewWatch(int(config.deadline.budget))
        self._assembly: Assembly | None = None
        self._drift: DriftWatch | None = None
        self._tables = TableTopics(config, parts.clock)
        self._recall: ChangelogRecall | None = None
        self._reread = reread
        self._reloader: Reloader | None = None
        self._driver: Driver | None = None
        self._intake: IntakeLoop | None = None
        self.front_door_address: str | None = None
        self._stop_asked = asyncio.Event()
        self._grace = DrainGrace(parts.clock)
        self._paused = False
        self._started_ns = parts.clock.now_ns()
        self._cpu_ns = process_cpu_ns()

    def stop(self) -> None:
        """Ask for the end: what was taken in is finished first."""
        self._stop_asked.set()
        if self._intake is not None:
            self._intake.stopping = True

    def pause(self) -> None:
        """Take in nothing more, and finish what was taken in; the partitions stay ours."""
        self._paused = True
        if self._intake is not None:
            self._intake.held = True

    def resume(self) -> None:
        """Take in again."""
        self._paused = False
        if self._intake is not None:
            self._intake.held = False

    def state(self) -> State:
        """What it is doing."""
        if self._stop_asked.is_set():
            return "stopping"
        if not all(self.readiness().values()):
            return "starting"
        return "paused" if self._paused else "running"

    def accounts(self) -> Accounts | None:
        """The books; None before the model is measured."""
        if self._assembly is None:
            return None
        self._assembly.accounts.skips["retention"] = self._parts.source.skipped_total
        return self._assembly.accounts

    def summary(self) -> Summary | None:
        """How things stand; None before the model is measured."""
        accounts = self.accounts()
        if accounts is None:
            return None
        duration_s = (self._parts.clock.now_ns() - self._started_ns) / NS_PER_S
        return accounts.summary(duration_s, (process_cpu_ns() - self._cpu_ns) / NS_PER_S)

    def gauges(self) -> Gauges:
        """What is waiting at this moment."""
        if self._assembly is None:
            return Gauges(queue_depth=0)
        lag = self._parts.source.lag() if self._driver and self._driver.owns_partitions else {}
        return standing(
            self._assembly,
            self._executors,
            lag=lag,
            drift=None if self._drift is None else self._drift.state(),
            loop_lag_ns=self._heartbeat.lag_ns,
            reloads=self._reloader.results if self._reloader else {},
            now_ns=self._parts.clock.now_ns(),
        )

    def models(self) -> list[ModelInfo]:
        """The models that decide."""
        return [executor.info for executor in self._executors]

    async def reload(self, config: PipelineConfig | None = None) -> Mapping[str, object]:
        """Go on with the configuration and the model files as they are now; see ``Reloader.reload``."""
        if self._reloader is None:
            msg = "the pipeline has not started yet: nothing is reloaded"
            log.error(msg)
            raise ExternalError(msg)
        answer = await self._reloader.reload(config)
        if self._slo is not None:
            self._slo.change(self._reloader.config)
        return answer

    def brake(self, measures: Measures) -> None:
        """Do what a burning budget asks for; see ``Reloader.brake``."""
        if self._reloader is not None:
            self._reloader.brake(measures)

    def objectives(self) -> list[dict[str, Any]]:
        """How the objectives stand."""
        return [] if self._slo is None else self._slo.view()

    @property
    def _executors(self) -> tuple[Executor, ...]:
        return self._reloader.executors if self._reloader else self._parts.executors

    def _current(self) -> PipelineConfig:
        return self._reloader.config if self._reloader else self._config

    def readiness(self) -> Mapping[str, bool]:
        """What readiness waits for, and whether it is there."""
        return {
            "model": self._assembly is not None,
            "assignment": self._driver is not None and self._driver.owns_partitions,
            "broker": self._driver is not None and self._parts.sink.healthy(),
            "features": self._assembly is not None and not self._assembly.engine.restore.under_way,
        }

    async def run(self) -> Summary:
        """Run to the end.

        Returns:
            the summary of all that was consumed.

        Raises:
            ConfigError: the model, features or topics do not fit.
            ExternalError: something outside failed for good.
        """
        parts = self._parts
        export = self._telling.begin(self.models())
        try:
            await ask_for_decision_schema(self._config)
            self._assembly = assembly = assemble(
                self._config,
                parts.executors,
                parts.clock,
                export,
                log=self._schedule,
                waits_for_schemas=True,
            )
            rewind(parts.source, assembly.rewind_ns)
            self._recall = begin_changelog(self._config, assembly, parts.source, parts.clock)
            self._drift = watch_drift(self._config, assembly)
            record = self._telling.record(assembly, self.models())
            if self.on_assembled is not None:
                self.on_assembled(assembly)
        except BaseException:
            await self._telling.close()
            raise
        self._driver = driver = Driver(
            engine=assembly.engine,
            executors=parts.executors,
            sink=parts.sink,
            source=parts.source,
            compute=assembly.compute,
            accounts=assembly.accounts,
            clock=parts.clock,
            slots=assembly.slots,
        )
        self._reloader = Reloader(
            self._config,
            parts.executors,
            assembly=assembly,
            driver=driver,
            clock=parts.clock,
            reread=self._reread,
            credentials=Credentials(self._config, parts.source, parts.sink),
        )
        self._intake = IntakeLoop(
            source=parts.source,
            sink=parts.sink,
            engine=assembly.engine,
            driver=driver,
            accounts=assembly.accounts,
            clock=parts.clock,
            stop_after=self._stop_after,
            stop_when_idle_ns=self._stop_when_idle_ns,
        )
        self._intake.schemas = gate = schema_gate(assembly, driver)
        self._intake.record = record
        self._intake.stopping = self._stop_asked.is_set()
        commits = Commits(
            self._config,
            assembly,
            driver,
            source=parts.source,
            sink=parts.sink,
            clock=parts.clock,
            interval_ns=parts.commit_interval_ns,
            schedule=self._schedule,
        )
        commits.before = self.before_commit
        recovery = Recovery(
            source=parts.source,
            driver=driver,
            accounts=assembly.accounts,
            clock=parts.clock,
            held=lambda: self._paused or (gate is not None and gate.waits),
            patience_ns=parts.progress_timeout_ns,
            changelog=assembly.changelog,
        )
        self._intake.held = self._paused
        if self.watches:
            self._slo = SloWatch(
                self._config, parts.clock, accounts=self.accounts, brake=self.brake
            )
        door = self._door(assembly, driver)
        shown = [None if one is None else one.collector for one in (self._slo, door)]
        more = [one for one in shown if one is not None]
        async with (
            endpoints(self, self._current, parts.clock, more=more) as address,
            front_door(door, self._config) as self.front_door_address,
        ):
            try:
                await self._before_join()
                if not self._stop_asked.is_set():
                    await self._run_joined(driver, self._intake, commits, recovery, address)
            finally:
                if gate is not None:
                    await gate.close()
                await self._let_go(driver)
        summary = self.summary()
        if summary is None:
            msg = "no summary after a run"
            raise ExternalError(msg)
        return summary

    def _door(self, assembly: Assembly, driver: Driver) -> FrontDoor | None:
        """What stands behind the front door; None where it is closed."""
        requests = assembly.engine.requests
        if requests is None:
            return None
        return FrontDoor(
            self._current,
            engine=assembly.engine,
            driver=driver,
            executors=lambda: self._executors,
            requests=requests,
            clock=self._parts.clock,
        )

    async def _run_joined(
        self,
        driver: Driver,
        intake: IntakeLoop,
        commits: Commits,
        recovery: Recovery,
        address: str | None,
    ) -> None:
        """Join the group, and read until the end."""
        parts = self._parts
        if self._recall is not None:
            await self._recall.prepare()
        await parts.sink.start()
        if self._assembly is not None and self._assembly.engine.tables is None:
            await self._tables.load(self._assembly.program)
            self._assembly.engine.tables = self._tables.feed
            self._telling.tables(self._tables)
        await parts.source.start(driver)
        self._started_ns, self._cpu_ns = parts.clock.now_ns(), process_cpu_ns()
        if self._on_ready is not None:
            self._on_ready(address)
        watch = LoopWatch(
            lambda: self._heartbeat.beats, patience_ns=parts.progress_timeout_ns, hung=self._on_hang
        )
        with quiet_collector(), watch, gc_pauses(parts.clock, self._gc_paused):
            await run_to_end(
                intake.run(),
                stop=self._stop_asked,
                driver=driver,
                commits=commits,
                grace=self._grace,
                keepers=(commits.run(), self._heartbeat.run(), recovery.run()),
                beside=self._beside(),
            )

    def _gc_paused(self, took_ns: int) -> None:
        if self._assembly is not None:
            self._assembly.accounts.gc_pauses.add_constant(took_ns, 1)

    def _beside(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What goes on beside the work, and whose failure does not end it."""
        if self._reloader is not None:
            yield self._reloader.watch()
            yield self._reloader.rolled_back.run()
        if self._slo is not None:
            yield self._slo.run()
        yield self._tables.follow()

    def _beat(self) -> None:
        if self._assembly is not None:
            self._skew_watch.look(self._assembly.engine.skews_ns())
        self._telling.count()

    async def _let_go(self, driver: Driver) -> None:
        """Stop everything, whatever happened; nothing of it may hide the first error."""
        parts = self._parts
        await driver.close()
        stopped = await asyncio.gather(
            self._tables.close(),
            parts.source.stop(),
            parts.sink.stop(timeout_ns=self._grace.left_ns()),
            return_exceptions=True,
        )
        for error in stopped:
            if isinstance(error, Exception):
                log.error("a part of the pipeline did not stop cleanly", exc_info=error)
        if self._assembly is not None:
            self._assembly.engine.release_all()
        if self._schedule is not None:
            self._schedule.flush()
        await self._telling.close()
        for executor in self._executors:
            executor.close()


async def _nothing() -> None:
    """Waits for nothing."""

"""One running pipeline: started, driven, drained and stopped in order."""

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from streamproc.config import PipelineConfig
from streamproc.connectors.capture import Recorder
from streamproc.core import (
    NS_PER_S,
    Executor,
    ExternalError,
    ModelInfo,
    process_cpu_ns,
)
from streamproc.engine import ScheduleLog
from streamproc.runtime.assembly import Assembly, assemble
from streamproc.runtime.commits import make_ledger_commits, make_transactions
from streamproc.runtime.driver import Driver
from streamproc.runtime.endpoints import endpoints
from streamproc.runtime.exporting import exporter_of
from streamproc.runtime.feature_states import feature_states
from streamproc.runtime.features import rewind
from streamproc.runtime.housekeeping import Heartbeat, SkewWatch, quiet_collector
from streamproc.runtime.intake_loop import IntakeLoop
from streamproc.runtime.loop_watch import LoopWatch
from streamproc.runtime.model_states import model_states
from streamproc.runtime.parts import Parts
from streamproc.runtime.recording import RecordingTap, metadata_of, recorder_of
from streamproc.runtime.recovery import Recovery
from streamproc.runtime.reloader import Reloader, Reread
from streamproc.runtime.slo_watch import SloWatch
from streamproc.runtime.status import State, actions_of, status_of
from streamproc.slo import Measures
from streamproc.telemetry import Accounts, Gauges, Summary

if TYPE_CHECKING:
    from streamproc.runtime.ledger_commits import LedgerCommits
    from streamproc.runtime.transactions import Transactions
    from streamproc.telemetry.otlp import Exporter

log = logging.getLogger(__name__)

DRAIN_GRACE_NS = 30 * NS_PER_S
"""How long the end may take: what is not finished then is handed back to the group."""


LAST_COMMIT_S = 5.0
_SKEWS_SHOWN = 100
"""Of the sources' clocks, those most off: with one a key there may be thousands."""


class Service:
    """Runs a pipeline once.

    Args:
        config: what the user wrote.
        parts: what it runs on.
        stop_after: end after so many records; None for no end.
        stop_when_idle_ns: end when nothing came for so long; None for no end.
        on_ready: is told the address of the HTTP endpoints when everything is started; None where they
            are off.
        on_hang: is told, in a thread of its own, that the event loop does not come back, and where it is; None
            where nothing is to be done about it.
        before_join: is waited for when the model is warm, before the group is joined.
        reread: reads the configuration again, for a reload; None keeps it.

    Attributes:
        on_assembled: is shown the pipeline's parts before anything comes; None shows nobody.
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
        self._schedule = parts.schedule
        self.on_assembled: Callable[[Assembly], None] | None = None
        if parts.schedule is None and config.record is not None:
            self._schedule = ScheduleLog(self._record_schedule)
        self.watches = True
        self._slo: SloWatch | None = None
        self._heartbeat = Heartbeat(parts.clock, self._beat)
        self._skew_watch = SkewWatch(int(config.deadline.budget))
        self._assembly: Assembly | None = None
        self._exporter: Exporter | None = None
        self._reread = reread
        self._reloader: Reloader | None = None
        self._recorder: Recorder | None = None
        self._driver: Driver | None = None
        self._intake: IntakeLoop | None = None
        self._transactions: Transactions | None = None
        self._ledger: LedgerCommits | None = None
        self._stop_asked = asyncio.Event()
        self._drain_ns: int | None = None
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
        engine, accounts = self._assembly.engine, self._assembly.accounts
        lag = self._parts.source.lag() if self._driver and self._driver.owns_partitions else {}
        skews_ns = engine.skews_ns()
        most = heapq.nlargest(_SKEWS_SHOWN, skews_ns, key=lambda source: abs(skews_ns[source]))
        depths = dict(zip(accounts.lanes, engine.queue_depths, strict=True))
        return Gauges(
            queue_depth=engine.queue_depth,
            lane_depths=depths if len(depths) > 1 else {},
            demand_workers=engine.demand_workers(self._parts.clock.now_ns()),
            variant_level=engine.variant if len(self._executors) > 1 else None,
            lag_records=lag,
            loop_lag_seconds=self._heartbeat.lag_ns / NS_PER_S,
            features=feature_states(self._assembly),
            model=model_states(self._executors, self._reloader.results if self._reloader else {}),
            event_time_skew_seconds={source: skews_ns[source] / NS_PER_S for source in most},
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

    def readiness(self) -> Mapping[str, bool]:
        """What readiness waits for, and whether it is there."""
        return {
            "model": self._assembly is not None,
            "assignment": self._driver is not None and self._driver.owns_partitions,
            "broker": self._driver is not None and self._parts.sink.healthy(),
            "features": self._assembly is not None and not self._assembly.engine.restoring,
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
        self._exporter = exporter = exporter_of(self._config, self.models())
        export = None if exporter is None else exporter.export
        try:
            self._assembly = assembly = assemble(
                self._config, parts.executors, parts.clock, export, log=self._schedule
            )
            rewind(parts.source, assembly.rewind_ns)
            self._recorder = recorder = self._start_recorder(assembly)
            if self.on_assembled is not None:
                self.on_assembled(assembly)
        except BaseException:
            await self._close_traces()
            raise
        self._driver = driver = Driver(
            engine=assembly.engine,
            executors=parts.executors,
            sink=parts.sink,
            source=parts.source,
            compute=assembly.compute,
            accounts=assembly.accounts,
            clock=parts.clock,
        )
        self._reloader = Reloader(
            self._config,
            parts.executors,
            assembly=assembly,
            driver=driver,
            clock=parts.clock,
            reread=self._reread,
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
        if recorder is not None:
            self._intake.record = recorder.records
        self._intake.stopping = self._stop_asked.is_set()
        self._ledger = make_ledger_commits(assembly, driver, parts.sink)
        self._transactions = make_transactions(
            self._config, assembly, driver, source=parts.source, sink=parts.sink, clock=parts.clock
        )
        recovery = Recovery(
            source=parts.source,
            driver=driver,
            accounts=assembly.accounts,
            clock=parts.clock,
            held=lambda: self._paused,
            patience_ns=parts.progress_timeout_ns,
        )
        self._intake.held = self._paused
        if self.watches:
            self._slo = SloWatch(
                self._config, parts.clock, accounts=self.accounts, brake=self.brake
            )
        async with endpoints(
            self._config.telemetry.metrics,
            accounts=lambda: assembly.accounts,
            gauges=self.gauges,
            models=self.models,
            readiness=self.readiness,
            status=lambda: status_of(self),
            actions=actions_of(self),
            more=() if self._slo is None else (self._slo.collector,),
        ) as address:
            try:
                await self._before_join()
                if not self._stop_asked.is_set():
                    await self._run_joined(driver, self._intake, recovery, address)
            finally:
                await self._let_go(driver)
        summary = self.summary()
        if summary is None:
            msg = "no summary after a run"
            raise ExternalError(msg)
        return summary

    async def _run_joined(
        self, driver: Driver, intake: IntakeLoop, recovery: Recovery, address: str | None
    ) -> None:
        """Join the group, and read until the end."""
        parts = self._parts
        await parts.sink.start()
        await parts.source.start(driver)
        self._started_ns, self._cpu_ns = parts.clock.now_ns(), process_cpu_ns()
        if self._on_ready is not None:
            self._on_ready(address)
        watch = LoopWatch(
            lambda: self._heartbeat.beats, patience_ns=parts.progress_timeout_ns, hung=self._on_hang
        )
        with quiet_collector(), watch:
            await self._drive(intake, driver, recovery)

    async def _drive(self, intake: IntakeLoop, driver: Driver, recovery: Recovery) -> None:
        """Take in until the end, finish what was taken in, store the last positions."""
        keepers = [
            asyncio.create_task(
                self._commit_regularly() if self._transactions is None else self._transactions.run()
            ),
            asyncio.create_task(self._heartbeat.run()),
            asyncio.create_task(recovery.run()),
        ]
        watching = asyncio.create_task(self._watch())
        watching_slo = asyncio.create_task(self._watch_objectives())
        reading = asyncio.create_task(intake.run())
        stop = asyncio.create_task(self._stop_asked.wait())
        try:
            ends: set[asyncio.Future[Any]] = {reading, stop, driver.failure, *keepers}
            done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if stop in done:  # a poll that waits for records need not be waited for
                reading.cancel()
            for task in done - {stop}:
                task.result()
            self._drain_ns = self._parts.clock.now_ns()
            if not await driver.drained(DRAIN_GRACE_NS):
                log.warning("not everything was finished in time: the rest is handed back")
            if driver.failure.done():
                driver.failure.result()
        finally:
            for task in (reading, stop, watching, watching_slo, *keepers):
                task.cancel()
            await asyncio.gather(
                *(reading, stop, watching, watching_slo, *keepers), return_exceptions=True
            )
        try:
            async with asyncio.timeout(
                LAST_COMMIT_S
            ):  # a client whose broker is gone asks for ever
                await self._commit()
        except TimeoutError:
            log.warning("the last positions are not stored: what they cover will be decided again")

    async def _watch(self) -> None:
        if self._reloader is not None:
            await self._reloader.watch()

    async def _watch_objectives(self) -> None:
        if self._slo is not None:
            await self._slo.run()

    def _beat(self) -> None:
        if self._assembly is not None:
            self._skew_watch.look(self._assembly.engine.skews_ns())
        self._count_traces()
        self._count_dropped()

    async def _commit_regularly(self) -> None:
        while True:
            await asyncio.sleep(self._parts.commit_interval_ns / NS_PER_S)
            if (
                self._schedule is not None
            ):  # a crash while nothing comes must not take the end with it
                self._schedule.flush()
            await self._commit()

    async def _commit(self) -> None:
        if self._assembly is None:
            return
        if self._transactions is not None:
            await self._transactions.commit()
            return
        engine, source = self._assembly.engine, self._parts.source
        try:
            engine.moved(await source.positions())
            positions = engine.positions_to_commit()
            if positions:
                if self._ledger is not None:
                    await self._ledger.publish(positions)
                await source.commit(positions)
                engine.committed(positions)
        except ExternalError as error:
            if not error.retriable:
                raise
            log.warning("%s; trying again", error)

    def _grace_left_ns(self) -> int:
        """How long the end may still take: what was waited for while draining is not waited for twice."""
        if self._drain_ns is None:
            return DRAIN_GRACE_NS
        gone_ns = self._parts.clock.now_ns() - self._drain_ns
        return max(0, DRAIN_GRACE_NS - gone_ns)

    async def _let_go(self, driver: Driver) -> None:
        """Stop everything, whatever happened; nothing of it may hide the first error."""
        parts = self._parts
        await driver.close()
        stopped = await asyncio.gather(
            parts.source.stop(),
            parts.sink.stop(timeout_ns=self._grace_left_ns()),
            return_exceptions=True,
        )
        for error in stopped:
            if isinstance(error, Exception):
                log.error("a part of the pipeline did not stop cleanly", exc_info=error)
        if self._assembly is not None:
            self._assembly.engine.release_all()
        if self._schedule is not None:
            self._schedule.flush()
        await self._close_traces()
        if self._recorder is not None:
            await self._recorder.close()
            self._count_dropped()
        for executor in self._executors:
            executor.close()

    def _start_recorder(self, assembly: Assembly) -> Recorder | None:
        """What records, if the user wants it; told of everything from now on."""
        options, clock = self._config.record, self._parts.clock
        if options is None:
            return None
        told = metadata_of(self._config, self.models(), assembly.accounts.lanes, "service")
        recorder = recorder_of(self._config, options, told, clock)
        recorder.start()
        assembly.settlement.tap = RecordingTap(recorder, clock)
        return recorder

    async def _close_traces(self) -> None:
        """Export what waits, for a short while."""
        if self._exporter is None:
            return
        if self._assembly is not None and self._assembly.tracer is not None:
            self._assembly.tracer.close()
        await asyncio.to_thread(self._exporter.close)
        self._count_traces()

    def _count_traces(self) -> None:
        if self._assembly is not None and self._exporter is not None:
            self._assembly.accounts.traces_exported = self._exporter.exported
            self._assembly.accounts.traces_dropped = self._exporter.dropped

    def _record_schedule(self, data: bytes, at_ns: int) -> None:
        if self._recorder is not None:
            self._recorder.schedule(data, at_ns)

    def _count_dropped(self) -> None:
        if self._assembly is not None and self._recorder is not None:
            self._assembly.accounts.recorder_dropped = self._recorder.dropped


async def _nothing() -> None:
    """Waits for nothing."""

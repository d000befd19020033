"""A demo from its start to its end: pipeline in this process, producer and consumer in another."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from streamproc.cli.demo_plan import Plan
from streamproc.cli.demo_verdict import Verdict, judge
from streamproc.cli.demo_view import live_view
from streamproc.cli.failures import RunFailedError
from streamproc.cli.report import Report
from streamproc.cli.signals import Signals
from streamproc.core import NS_PER_MS, NS_PER_S, ExternalError, SystemClock, process_cpu_ns
from streamproc.replay import OutsideProcess
from streamproc.runtime import Pipeline, Service
from streamproc.telemetry import Summary

_ASSIGNMENT_TIMEOUT_S = 30.0
_PLAY_GRACE_S = 2.0
"""A player that cannot keep up is stopped so long after its time."""
_CATCH_UP_S = 5.0
"""How long the pipeline may take for what is left at the end."""
_POLL_S = 0.05

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a demo.

    Attributes:
        summary: the pipeline's.
        generator: what the player did.
        verdict: what an independent consumer saw.
        address: where the endpoints were.
    """

    summary: Summary
    generator: dict[str, Any]
    verdict: Verdict
    address: str | None

    def as_json(self, plan: Plan) -> dict[str, Any]:
        """The contract's summary, and what a demo adds to it."""
        place, device = plan.place, plan.device
        simulated = None
        if device is not None:
            simulated = {
                "fixed_ms": int(device.fixed) / NS_PER_MS,
                "per_event_ms": int(device.per_event) / NS_PER_MS,
                "overload": plan.overload,
            }
        return {
            **self.summary,
            "budget_ms": int(plan.loaded.config.deadline.budget) / NS_PER_MS,
            "verified": self.verdict.as_json(),
            "generator": self.generator,
            "simulated": simulated,
            "broker": {"kind": place.name, "servers": place.servers, "topics": place.topics},
        }


class Session:
    """Runs a demo once.

    Args:
        plan: what it does.
        report: watches it.
    """

    def __init__(self, plan: Plan, report: Report) -> None:
        self._plan = plan
        self._report = report
        self._clock = SystemClock()
        self._address: str | None = None
        self._cut_short = asyncio.Event()
        pipeline = Pipeline.from_file(plan.loaded)
        self._service = Service(pipeline, pipeline.parts(), on_ready=self._ready)

    async def run(self) -> Ended:
        """Run it.

        Raises:
            ExternalError: it could not begin.
            RunFailedError: something outside failed in the middle.
        """
        place = self._plan.place
        Signals(self._cut_short.set).install()
        await place.prepare()
        try:
            return await self._with_topics()
        finally:
            await place.clean_up()

    async def _with_topics(self) -> Ended:
        async with OutsideProcess(self._plan.job) as outside:
            running = asyncio.create_task(self._service.run())
            try:
                await _or_failure(running, asyncio.gather(outside.ready(), self._assigned()))
                return await self._play(outside, running)
            finally:
                self._service.stop()
                await asyncio.gather(running, return_exceptions=True)

    async def _play(self, outside: OutsideProcess, running: "asyncio.Task[Summary]") -> Ended:
        begun_ns, cpu_ns = self._clock.now_ns(), process_cpu_ns()
        self._report.begin(self._service)
        try:
            async with live_view(self._service, self._plan):
                generator = await _or_failure(running, self._played(outside))
                await _or_failure(running, self._caught_up(generator["sent"] - generator["failed"]))
            self._service.stop()
            summary = await running
            seconds = (self._clock.now_ns() - begun_ns) / NS_PER_S
            cpu_s = (process_cpu_ns() - cpu_ns) / NS_PER_S
            await self._report.end()
            seen = await outside.seen()
        except ExternalError as error:
            raise RunFailedError(str(error)) from error
        finally:
            await self._report.end()
        # The pipeline counts from its own start; the wait for the group and the player is not its work.
        summary["duration_s"], summary["cpu_s"] = round(seconds, 3), round(cpu_s, 3)
        summary["throughput_per_s"] = round(summary["consumed"] / seconds, 1)
        verdict = judge(summary, seen, generator, shared_clock=self._plan.place.shares_our_clock)
        return Ended(summary, generator, verdict, self._address)

    def _ready(self, address: str | None) -> None:
        self._address = address

    async def _assigned(self) -> None:
        """Wait for the group to give us the partitions."""
        if not await _until(lambda: self._service.readiness()["assignment"], _ASSIGNMENT_TIMEOUT_S):
            msg = f"the broker gave no partitions in {_ASSIGNMENT_TIMEOUT_S:.0f} s"
            raise ExternalError(msg)

    async def _played(self, outside: OutsideProcess) -> dict[str, Any]:
        """Let the recording be played, until its end, the time's, or a signal."""
        playing = asyncio.create_task(outside.play())
        cut = asyncio.create_task(self._cut_short.wait())
        limit_s = self._plan.duration_ns / NS_PER_S + _PLAY_GRACE_S
        await asyncio.wait({playing, cut}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        cut.cancel()
        if not playing.done():
            outside.stop_playing()
        return await playing

    async def _caught_up(self, count: int) -> None:
        """Wait until so many were consumed, for a while."""

        def done() -> bool:
            now = self._service.summary()
            return now is not None and now["consumed"] >= count

        await _until(done, _CATCH_UP_S)


async def _until(done: Callable[[], bool], timeout_s: float) -> bool:
    """Ask again and again until it is true; False when the time is up."""
    for _ in range(round(timeout_s / _POLL_S)):
        if done():
            return True
        await asyncio.sleep(_POLL_S)
    return done()


async def _or_failure(running: "asyncio.Task[Summary]", work: Awaitable[T]) -> T:
    """Wait for the work, unless the pipeline ends before: then raise what ended it."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task, running}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    running.result()
    msg = "the pipeline ended before the demo did"
    raise RunFailedError(msg)

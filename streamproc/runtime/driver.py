"""Carries out what the engine asks for: the one place where it meets the event loop."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from streamproc.core import (
    NOTHING_BEYOND,
    NS_PER_MS,
    NS_PER_S,
    Clock,
    Executor,
    ExternalError,
    Int64Array,
    Sink,
    Source,
    TopicPartition,
    thread_cpu_ns,
)
from streamproc.engine import Effect, Engine, Infer, Rescued, Send, Skip
from streamproc.runtime.executor_threads import ExecutorThreads
from streamproc.runtime.inference import Ran, attempt, try_again
from streamproc.scheduling import LatencyModel
from streamproc.telemetry import Accounts

log = logging.getLogger(__name__)

INLINE_MAX_NS = NS_PER_MS
"""A batch predicted to be quicker runs on the event loop: a hop to a thread and back costs more."""
TURN_MAX_NS = 2 * NS_PER_MS
"""How long one turn may keep the event loop from sends, acknowledgements and heartbeats."""

_ON_THE_CPU = "CPUExecutionProvider"


BeforeRelease: TypeAlias = Callable[
    [Collection[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]
]


class Driver:
    """Drives an engine on the event loop; listens to its source's assignments.

    Args:
        engine: the engine.
        executors: run its batches: see ``executors.runners`` for their order.
        sink: sends its records.
        compute: predicts for each variant whether a batch is quick; learns from each.
        source: jumps over what is too old.
        accounts: the books, to see that all is done.
        clock: the pipeline's time.
        revoke_grace_ns: how long a revoked partition's events may take to be finished.
        slots: how many batches may run at the same time; None for as many as each executor can.
    """

    def __init__(  # noqa: PLR0913 - what a pipeline is made of
        self,
        *,
        engine: Engine,
        executors: Sequence[Executor],
        sink: Sink,
        source: Source,
        compute: Sequence[LatencyModel],
        accounts: Accounts,
        clock: Clock,
        revoke_grace_ns: int = 10 * NS_PER_S,
        slots: int | None = None,
    ) -> None:
        self._engine = engine
        self._executors = executors
        self._sink = sink
        self._source = source
        self._compute = compute
        self._threads = ExecutorThreads(
            slots or min(executor.concurrency for executor in executors)
        )
        self._accounts = accounts
        self._clock = clock
        self._revoke_grace_ns = revoke_grace_ns
        self._tasks: set[asyncio.Task[None]] = set()
        self._inferring: set[asyncio.Task[None]] = set()
        self._of_ladder = 0
        """Batches of the model itself on their threads: beside them none runs here, where a canary's may have to."""
        self._turn_due = False
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_ns = 0
        self._progress = asyncio.Event()
        self.before_release: BeforeRelease | None = None
        """Is waited for when partitions are about to leave; gives the positions that are left for the source to commit."""
        self.owns_partitions = False
        """True once the source has been given partitions, or none are left to give."""
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Holds the error for which the pipeline cannot go on."""

    def assigned(
        self,
        positions: Mapping[TopicPartition, int],
        beyond: Mapping[TopicPartition, Int64Array] = NOTHING_BEYOND,
    ) -> None:
        """The source was given partitions; see ``AssignmentListener``."""
        self.owns_partitions = True
        self._engine.assigned(positions, beyond)

    async def revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The source gives partitions up: finish what is under way, within a time."""
        self._engine.leave(partitions)
        self._guarded(self.turn)  # nothing of them waits for others to come any more
        await self._until(lambda: not self._engine.open_in(partitions), self._revoke_grace_ns)
        stored = None if self.before_release is None else await self.before_release(partitions)
        positions = self._engine.release(partitions)
        self._progress.set()  # what was handed back is no longer waited for
        self.owns_partitions = self._engine.owns_partitions
        return positions if stored is None else stored

    async def drained(self, timeout_ns: int) -> bool:
        """Wait until every event taken in has its outcome; False when the time is up first.

        Nothing more is to be taken in: what waits for others to come is run at once.
        """
        self._engine.draining = True
        self._guarded(self.turn)
        return await self._until(lambda: not self._accounts.in_flight, timeout_ns)

    async def progress(self) -> None:
        """Wait until an event may have got its outcome."""
        self._progress.clear()
        await self._progress.wait()

    def swap(self, executors: Sequence[Executor], compute: Sequence[LatencyModel]) -> None:
        """Run the batches that begin from now on by others; those before are closed when their last one has ended."""
        before, self._executors, self._compute = self._executors, executors, compute
        gone = [executor for executor in before if executor not in executors]
        if gone:
            self._start(self._close_after(gone, set(self._inferring)))

    async def _close_after(
        self, executors: Sequence[Executor], runs: set[asyncio.Task[None]]
    ) -> None:
        try:
            if runs:
                await asyncio.wait(runs)
        finally:
            await asyncio.to_thread(_close_all, executors)
            self._threads.forget(executors)

    def wake(self) -> None:
        """Something new waits: look at it in the loop's next round."""
        self._turn_soon()

    def told(self) -> None:
        """Events may have got their outcomes, or were given up."""
        self._progress.set()

    def turn(self) -> None:
        """Carry out what is due, for a short while; goes on by itself in the loop's next round."""
        self._turn_due = False
        until_ns = self._clock.now_ns() + TURN_MAX_NS
        while True:
            now_ns = self._clock.now_ns()
            if now_ns > until_ns:
                self._turn_soon()
                return
            effects = self._engine.next_effects(now_ns)
            if not effects:
                self._progress.set()  # what is not sent has its outcome at once
                self._set_alarm(self._engine.wake_ns, now_ns)
                return
            self._carry_out(effects)

    def hand_over(self) -> None:
        """Carry out what follows from what has happened, so that nothing is between the engine and the sink."""
        while effects := self._engine.take_effects():
            self._carry_out(effects)

    def fail(self, error: BaseException) -> None:
        """The pipeline cannot go on."""
        if not self.failure.done():
            self.failure.set_exception(error)
        self._progress.set()

    async def close(self) -> None:
        """Let go of the batches that still run."""
        self._set_alarm(None, 0)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.close()

    def _carry_out(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(ticket=ticket, records=records):
                    self._sink.send(records, partial(self._sent, ticket))
                case Infer() as infer:
                    self._infer(infer)
                case Skip(source=source, timestamp_ns=timestamp_ns):
                    self._start(self._skip(source, timestamp_ns))

    async def _until(self, condition: Callable[[], bool], timeout_ns: int) -> bool:
        """Wait until something is so; False when the time is up, or the pipeline fails, first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_ns / NS_PER_S):
                while not condition() and not self.failure.done():
                    await self.progress()
        return condition()

    def _set_alarm(self, wake_ns: int | None, now_ns: int) -> None:
        """Turn at an instant, and not at the one that was asked for before."""
        if wake_ns is None:
            if self._alarm is not None:
                self._alarm.cancel()
                self._alarm = None
            return
        if self._alarm is not None:
            if self._alarm_ns == wake_ns:
                return
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm_ns = wake_ns
        self._alarm = loop.call_at(loop.time() + (wake_ns - now_ns) / NS_PER_S, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self._guarded(self.turn)

    def _turn_soon(self) -> None:
        if not self._turn_due:
            self._turn_due = True
            asyncio.get_running_loop().call_soon(self._guarded, self.turn)

    def _guarded(self, call: Callable[[], None]) -> None:
        """An exception in a callback of the loop must stop the pipeline, not vanish in a log."""
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is handed on
            self.fail(error)

    def _infer(self, infer: Infer) -> None:
        """Run a batch here where it is quick, else on a thread: the loop must never wait for a model."""
        executor = self._executors[infer.variant]
        quick = self._compute[infer.variant].predict_ns(infer.size) < INLINE_MAX_NS
        ran, aside = None, infer.ladder == 0
        if (
            quick
            and executor.inline
            and executor.concurrency == 1
            and not (aside or self._of_ladder)
        ):
            ran = attempt(self._executors, infer, self._clock)
            if not isinstance(ran.outputs, Exception):
                self._ended(infer, ran, self._compute, ran.took_ns)
                return
        # Named here: by the time that the task begins, a reload may have put others in their place.
        task = self._start(self._infer_away(infer, ran, self._executors, self._compute))
        self._inferring.add(task)
        task.add_done_callback(self._inferring.discard)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _skip(self, source: TopicPartition, timestamp_ns: int) -> None:
        """Let the source jump; where it cannot, what is too old is fetched and given up one by one."""
        try:
            jump = await self._source.skip_to(source, timestamp_ns)
        except ExternalError as error:
            if not error.retriable:
                self.fail(error)
                return
            log.warning("%s; reading on", error)
            jump = None
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is handed on
            self.fail(error)
            return
        if jump is not None:
            log.warning(
                "%s/%d: went past %d records that were too old to be answered in time, on with %d",
                *source,
                jump.end - jump.start,
                jump.end,
            )
        self._guarded(partial(self._engine.skipped, source, jump))

    async def _infer_away(
        self,
        infer: Infer,
        failed: Ran | None,
        executors: Sequence[Executor],
        compute: Sequence[LatencyModel],
    ) -> None:
        """Run a batch on a thread; look there for the events at fault where it fails, or has failed here."""
        loop, clock = asyncio.get_running_loop(), self._clock

        def run() -> tuple[Ran, int]:
            began_ns = thread_cpu_ns()
            ran = failed or attempt(executors, infer, clock)
            computed_ns = thread_cpu_ns() - began_ns
            return try_again(executors, infer, ran, clock), computed_ns

        aside = infer.ladder == 0
        threads = self._threads.beside(executors[infer.variant]) if aside else self._threads.ladder
        self._of_ladder += not aside
        try:
            ran, computed_ns = await loop.run_in_executor(threads, run)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - such as a panic of a Rust extension
            # Its text may hold what the model was given.
            abnormal = ExternalError(f"the model ended abnormally: {type(error).__name__}")
            if not aside:
                self.fail(abnormal)
                return
            ran, computed_ns = Ran(abnormal, 0, infer.variant, clock.now_ns()), 0
        finally:
            self._of_ladder -= not aside
        # Of what only computes the CPU time: waiting for the interpreter, which the loop holds, would keep it here for ever.
        took_ns = computed_ns if _only_computes(executors[ran.variant]) else ran.took_ns
        self._guarded(partial(self._ended, infer, ran, compute, took_ns))
        self._guarded(self.turn)

    def _ended(self, infer: Infer, ran: Ran, compute: Sequence[LatencyModel], took_ns: int) -> None:
        now_ns = self._clock.now_ns()
        if isinstance(ran.outputs, Exception):
            self._engine.failed(infer.run, ran.outputs, now_ns)
            return
        if not isinstance(ran.outputs, Rescued):
            compute[ran.variant].observe(infer.size, took_ns)
        other = None if ran.variant == infer.variant else ran.variant
        self._engine.completed(
            infer.run, ran.outputs, now_ns, variant=other, executed_ns=ran.executed_ns
        )

    def _sent(self, ticket: int, result: int | Exception) -> None:
        if isinstance(result, Exception):
            self.fail(result)
            return
        self._guarded(partial(self._engine.acknowledged, ticket, result))
        self._progress.set()


def _only_computes(executor: Executor) -> bool:
    """Whether CPU time is all the time that it takes: it waits for no other device, process or machine."""
    return executor.inline and executor.info.runs_on == _ON_THE_CPU


def _close_all(executors: Sequence[Executor]) -> None:
    for executor in executors:
        executor.close()

"""Carries out what the engine asks for: the one place where it meets the event loop."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    Clock,
    Columns,
    Executor,
    ExternalError,
    Sink,
    TopicPartition,
)
from streamproc.engine import Engine, Infer, Send
from streamproc.scheduling import LatencyModel
from streamproc.telemetry import Accounts

INLINE_MAX_NS = NS_PER_MS
"""A batch predicted to be quicker runs on the event loop: a hop to a thread and back costs more."""
TURN_MAX_NS = 2 * NS_PER_MS
"""How long one turn may keep the event loop from sends, acknowledgements and heartbeats."""


@dataclass(frozen=True, slots=True)
class _Ran:
    outputs: Columns | Exception
    took_ns: int


class Driver:
    """Drives an engine on the event loop; listens to its source's assignments.

    Args:
        engine: the engine.
        executor: runs its batches.
        sink: sends its records.
        compute: predicts whether a batch is quick; learns from each.
        accounts: the books, to see that all is done.
        clock: the pipeline's time.
        revoke_grace_ns: how long a revoked partition's events may take to be finished.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        executor: Executor,
        sink: Sink,
        compute: LatencyModel,
        accounts: Accounts,
        clock: Clock,
        revoke_grace_ns: int = 10 * NS_PER_S,
    ) -> None:
        self._engine = engine
        self._executor = executor
        self._sink = sink
        self._compute = compute
        self._threads = ThreadPoolExecutor(
            executor.concurrency, thread_name_prefix="streamproc-executor"
        )
        self._accounts = accounts
        self._clock = clock
        self._revoke_grace_ns = revoke_grace_ns
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn_due = False
        self._progress = asyncio.Event()
        self.owns_partitions = False
        """True once the source has been given partitions, or none are left to give."""
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Holds the error for which the pipeline cannot go on."""

    def assigned(self, positions: Mapping[TopicPartition, int]) -> None:
        """The source was given partitions; see ``AssignmentListener``."""
        self.owns_partitions = True
        self._engine.assigned(positions)

    async def revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The source gives partitions up: finish what is under way, within a time."""
        self._engine.leave(partitions)
        await self._until(lambda: not self._engine.open_in(partitions), self._revoke_grace_ns)
        positions = self._engine.release(partitions)
        self._progress.set()  # what was handed back is no longer waited for
        self.owns_partitions = self._engine.owns_partitions
        return positions

    async def drained(self, timeout_ns: int) -> bool:
        """Wait until every event taken in has its outcome; False when the time is up first."""
        return await self._until(lambda: not self._accounts.in_flight, timeout_ns)

    async def progress(self) -> None:
        """Wait until an event may have got its outcome."""
        self._progress.clear()
        await self._progress.wait()

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
                return
            for effect in effects:
                match effect:
                    case Send(ticket=ticket, records=records):
                        self._sink.send(records, partial(self._sent, ticket))
                    case Infer() as infer:
                        self._infer(infer)

    def fail(self, error: BaseException) -> None:
        """The pipeline cannot go on."""
        if not self.failure.done():
            self.failure.set_exception(error)
        self._progress.set()

    async def close(self) -> None:
        """Let go of the batches that still run."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _until(self, condition: Callable[[], bool], timeout_ns: int) -> bool:
        """Wait until something is so; False when the time is up, or the pipeline fails, first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_ns / NS_PER_S):
                while not condition() and not self.failure.done():
                    await self.progress()
        return condition()

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
        quick = self._compute.predict_ns(infer.size) < INLINE_MAX_NS
        if quick and self._executor.inline and self._executor.concurrency == 1:
            self._ended(infer, self._run(infer.inputs))
            return
        task = asyncio.get_running_loop().create_task(self._infer_away(infer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _infer_away(self, infer: Infer) -> None:
        loop = asyncio.get_running_loop()
        try:
            ran = await loop.run_in_executor(self._threads, self._run, infer.inputs)
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - such as a panic of a Rust extension
            self.fail(ExternalError(f"the model ended abnormally: {error!r}"))
            return
        self._guarded(partial(self._ended, infer, ran))
        self._guarded(self.turn)

    def _run(self, inputs: Columns) -> _Ran:
        started_ns = self._clock.now_ns()
        try:
            outputs: Columns | Exception = self._executor.run(inputs)
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            outputs = error
        return _Ran(outputs, self._clock.now_ns() - started_ns)

    def _ended(self, infer: Infer, ran: _Ran) -> None:
        if isinstance(ran.outputs, Exception):
            self._engine.failed(infer.run, ran.outputs, self._clock.now_ns())
            return
        self._compute.observe(infer.size, ran.took_ns)
        self._engine.completed(infer.run, ran.outputs, self._clock.now_ns())

    def _sent(self, ticket: int, result: int | Exception) -> None:
        if isinstance(result, Exception):
            self.fail(result)
            return
        self._guarded(partial(self._engine.acknowledged, ticket, result))
        self._progress.set()

"""The fakes keep the contracts that the real parts keep, and a broken part does not."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from streamproc.core import (
    Columns,
    Jump,
    Progress,
    RecordBatch,
    SystemClock,
    TensorSpec,
    TopicPartition,
)
from streamproc.executors import PythonExecutor
from streamproc.testing import (
    FakeExecutor,
    MemoryBroker,
    MemorySink,
    MemorySource,
    MemoryTransactionalSink,
    StoredRecord,
    VirtualClock,
)
from streamproc.testing.contracts import (
    EXECUTOR_CHECKS,
    SINK_CHECKS,
    SOURCE_CHECKS,
    TRANSACTIONAL_SINK_CHECKS,
    executor_contract,
    sink_contract,
    source_contract,
    transactional_sink_contract,
)


class MemorySourceBed:
    topic = "ticks"

    def __init__(self, source: type[MemorySource] = MemorySource) -> None:
        self.broker = MemoryBroker({self.topic: 2})
        self._source = source

    def make(self) -> MemorySource:
        return self._source(self.broker, [self.topic], group="g")

    async def produce(self, records: Sequence[StoredRecord]) -> list[StoredRecord]:
        return [
            self.broker.produce(
                r.topic, r.value, key=r.key, partition=r.partition, timestamp_ns=r.timestamp_ns, headers=r.headers
            )
            for r in records
        ]  # fmt: skip

    async def committed(self) -> Mapping[TopicPartition, int]:
        return self.broker.committed("g")


class MemorySinkBed:
    input_topic, topic, other_topic = "ticks", "decisions", "other"

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.broker = MemoryBroker({"ticks": 3, "decisions": 3, "other": 2}, clock=self.clock)

    def make(self) -> MemorySink:
        return MemorySink(self.broker)

    async def read(self, topic: str) -> list[StoredRecord]:
        return self.broker.records(topic)


class MemoryTransactionalSinkBed(MemorySinkBed):
    def __init__(self, sink: type[MemoryTransactionalSink] = MemoryTransactionalSink) -> None:
        super().__init__()
        self._sink = sink

    def make(self) -> MemoryTransactionalSink:  # type: ignore[override]
        return self._sink(self.broker, group="g")

    async def stored(self) -> Mapping[TopicPartition, Progress]:
        group = self.broker.group("g")
        return {s: Progress(at, group.beyond[s]) for s, at in group.committed.items()}

    async def break_next(self, sink: MemoryTransactionalSink) -> None:
        sink.fail_commits()


@asynccontextmanager
async def transactional_bed(
    sink: type[MemoryTransactionalSink] = MemoryTransactionalSink,
) -> AsyncIterator[MemoryTransactionalSinkBed]:
    yield MemoryTransactionalSinkBed(sink)


@asynccontextmanager
async def source_bed(source: type[MemorySource] = MemorySource) -> AsyncIterator[MemorySourceBed]:
    yield MemorySourceBed(source)


@asynccontextmanager
async def sink_bed() -> AsyncIterator[MemorySinkBed]:
    yield MemorySinkBed()


def vectors(size: int) -> Columns:
    return {"input": np.arange(3 * size, dtype=np.float32).reshape(size, 3)}


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll that finds nothing waits its time; in memory nothing comes late."""
    monkeypatch.setattr("streamproc.testing.contracts.source._POLL_NS", 100_000)


@pytest.mark.parametrize("check", SOURCE_CHECKS, ids=lambda check: check.__name__)
async def test_the_memory_source_keeps_the_contract(check: Any) -> None:
    async with source_bed() as bed:
        await check(bed)


@pytest.mark.parametrize("check", SINK_CHECKS, ids=lambda check: check.__name__)
async def test_the_memory_sink_keeps_the_contract(check: Any) -> None:
    async with sink_bed() as bed:
        await check(bed)


@pytest.mark.parametrize("check", TRANSACTIONAL_SINK_CHECKS, ids=lambda check: check.__name__)
async def test_the_memory_transactional_sink_keeps_the_contract(check: Any) -> None:
    async with transactional_bed() as bed:
        await check(bed)


class Leaky(MemoryTransactionalSink):
    def abort(self, closing: Any = None) -> None:
        """Keeps what it was to take back."""
        self._open = closing


class Eager(MemoryTransactionalSink):
    def end_commit(self) -> int:
        for _, done in self._open.sent:
            done(0)
        return super().end_commit()


class Loose(MemoryTransactionalSink):
    def begin_commit(self, progress: Mapping[TopicPartition, Progress]) -> None:
        super().begin_commit({})


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Leaky, "bytes pending behind the abort"),
        (Eager, "the second was told with the first"),
        (Loose, "nothing is stored"),
    ],
)
async def test_a_broken_transactional_sink_is_found_out(
    broken: type[MemoryTransactionalSink], message: str
) -> None:
    with pytest.raises(AssertionError, match=message):
        await transactional_sink_contract(lambda: transactional_bed(broken))


@pytest.mark.parametrize("check", EXECUTOR_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "make",
    [
        FakeExecutor,
        lambda: FakeExecutor(concurrency=4, batch_max=1, clock=VirtualClock()),
        lambda: FakeExecutor(
            lambda inputs: inputs["input"].sum(axis=1, keepdims=True),
            outputs=[TensorSpec("output", "float32", (1,))],
        ),
        lambda: PythonExecutor(lambda inputs: inputs["input"] * 2, name="double"),
    ],
)
def test_executors_keep_the_contract(check: Any, make: Any) -> None:
    check(make(), vectors)


async def test_the_suites_run_as_a_whole() -> None:
    await source_contract(source_bed)
    await sink_contract(sink_bed)
    executor_contract(FakeExecutor, vectors)


class Greedy(MemorySource):
    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        return await super().poll(timeout_ns=timeout_ns, records_max=records_max + 1)


class Deaf(MemorySource):
    def pause(self) -> None:
        """Goes on."""


class Forgetful(MemorySource):
    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Stores nothing."""


class Thief(MemorySource):
    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        self._group.committed.update(positions)


class Hasty(MemorySource):
    def skip_now(self, source: TopicPartition, timestamp_ns: int) -> Jump | None:
        jump = super().skip_now(source, timestamp_ns)
        if jump is not None:
            self._position[source] += 1
        return jump


class Homesick(MemorySource):
    def skip_now(self, source: TopicPartition, timestamp_ns: int) -> Jump | None:
        start = self._position.get(source)
        if start is None:
            return None
        self._position[source] = self._broker.position_at(source, timestamp_ns)
        return Jump(start, self._position[source])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Hasty, "the position is"),
        (Homesick, "nothing lies before"),
        (Greedy, "records_max=7, but 8 records came"),
        (Deaf, "records came while paused"),
        (Forgetful, "committed"),
        (Thief, "not owned was stored"),
    ],
)
async def test_a_broken_source_is_found_out(broken: type[MemorySource], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        await source_contract(lambda: source_bed(broken))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda inputs: inputs["input"][:-1], r"for 1 events"),
        (lambda inputs: inputs["input"] - inputs["input"].mean(), "differs when it is alone"),
        (lambda inputs: inputs["input"].__imul__(0), "read-only"),
    ],
)
def test_a_broken_executor_is_found_out(model: Any, message: str) -> None:
    with pytest.raises((AssertionError, ValueError), match=message):
        executor_contract(lambda: FakeExecutor(model), vectors)

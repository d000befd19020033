"""A whole service on a real event loop, over the broker in memory."""

import asyncio
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import pytest
from typing_extensions import override

from streamproc.connectors.kafka import KafkaSource
from streamproc.core import (
    NS_PER_MS,
    AssignmentListener,
    Clock,
    Columns,
    ConfigError,
    Duration,
    ExternalError,
    RecordBatch,
    SystemClock,
    TopicPartition,
)
from streamproc.engine import Outcomes
from streamproc.runtime import Service
from streamproc.scheduling import Batching
from streamproc.telemetry import Metrics, Summary, Telemetry
from streamproc.testing import (
    FakeExecutor,
    MemoryBroker,
    MemorySink,
    MemorySource,
    assert_accounts,
)
from tests.engine.pipelines import pipeline, within

T0 = TopicPartition("ticks", 0)
T1 = TopicPartition("ticks", 1)


class World:
    """A service, and what it runs on."""

    def __init__(
        self, *, executor: Any = None, ends: bool = True, service: Any = None,
        kind: Any = MemorySource, clock: Clock | None = None, **changes: Any
    ) -> None:  # fmt: skip
        self.clock: Clock = clock or SystemClock()
        topics = {"ticks": 2, "decisions": 2, "p.dlq": 2}
        self.broker = MemoryBroker(topics, clock=self.clock)
        self.source = kind(self.broker, ["ticks"], group="p", ends=ends)
        self.sink = MemorySink(self.broker)
        self.executor = executor or FakeExecutor()
        config = pipeline(**({"deadline": within("60s")} | changes))
        parts = config.parts(
            source=self.source, sink=self.sink, executor=self.executor, clock=self.clock
        )
        self.service = Service(config, parts, **(service or {}))

    def produce(self, count: int, *, partitions: int = 2) -> None:
        for n in range(count):
            self.broker.produce("ticks", {"x": n}, partition=n % partitions)

    async def run(self) -> Summary:
        async with asyncio.timeout(60):
            summary = await self.service.run()
        assert_accounts(summary)
        return summary

    def start(self) -> "asyncio.Task[Summary]":
        return asyncio.create_task(self.run())

    @property
    def decided(self) -> int:
        return len(self.broker.records("decisions"))

    @property
    def committed(self) -> dict[TopicPartition, int]:
        return self.broker.committed("p")


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.POLL_NS", 1_000_000)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go round until something is so."""
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


# -- to the end ---------------------------------------------------------------------------------------


async def test_it_runs_to_the_end_of_the_source() -> None:
    world = World()
    world.produce(100)
    world.broker.skip("ticks", 1, offsets=7)
    world.broker.produce("ticks", b"{", partition=0)

    summary = await world.run()

    assert summary["consumed"] == 101
    assert summary["outcomes"]["on_time"] == 100
    assert summary["outcomes"]["dead_letter"] == 1
    assert world.decided == 100
    assert [r.partition for r in world.broker.records("decisions")] == [0] * 50 + [1] * 50
    assert world.committed == {T0: 51, T1: 57}
    assert world.executor.closed


async def test_it_stops_after_so_many_records() -> None:
    world = World(ends=False, service={"stop_after": 7})
    world.produce(20, partitions=1)
    summary = await world.run()
    assert summary["consumed"] == 7
    assert world.committed == {T0: 7, T1: 0}


async def test_it_stops_when_nothing_comes() -> None:
    world = World(ends=False, service={"stop_when_idle_ns": 1})
    world.produce(3)
    assert (await world.run())["consumed"] == 3


class LateGroup(MemorySource):
    """Tells of its partitions only when it is let."""

    polled_ns = 0

    @override
    async def start(self, listener: AssignmentListener) -> None:
        self.let = asyncio.Event()
        outer = self

        class Holding:
            def assigned(self, positions: Mapping[TopicPartition, int], *_: object) -> None:
                outer.later = asyncio.create_task(self._assigned_later(positions))

            async def _assigned_later(self, positions: Mapping[TopicPartition, int]) -> None:
                await outer.let.wait()
                listener.assigned(positions)

            async def revoked(
                self, partitions: Collection[TopicPartition]
            ) -> Mapping[TopicPartition, int]:
                return await listener.revoked(partitions)

        await super().start(Holding())

    @override
    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        if self.let.is_set():
            await self.later
            return await super().poll(timeout_ns=timeout_ns, records_max=records_max)
        self.polled_ns += timeout_ns
        await asyncio.sleep(timeout_ns / 1e9)
        return []


async def test_a_group_that_is_still_being_formed_is_not_idle() -> None:
    idle_ns = 50_000_000
    world = World(ends=False, service={"stop_when_idle_ns": idle_ns}, kind=LateGroup)
    world.produce(3)
    running = world.start()
    await until(lambda: world.source.polled_ns >= 2 * idle_ns)
    assert not running.done()
    world.source.let.set()
    assert (await running)["consumed"] == 3


class LateFetch(MemorySource):
    """Has its partitions, and gives nothing of them until its first fetch is answered."""

    polled_ns = 0
    answered = False

    @override
    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        if self.answered:
            return await super().poll(timeout_ns=timeout_ns, records_max=records_max)
        self.polled_ns += timeout_ns
        await asyncio.sleep(timeout_ns / 1e9)
        return []

    @override
    def lag(self) -> dict[TopicPartition, int]:
        return {s: n for s, n in super().lag().items() if self.answered or s.partition}


async def test_before_the_first_fetch_of_every_partition_is_answered_it_is_not_idle() -> None:
    idle_ns = 50_000_000
    world = World(ends=False, service={"stop_when_idle_ns": idle_ns}, kind=LateFetch)
    world.produce(3)
    running = world.start()
    await until(lambda: world.source.polled_ns >= 4 * idle_ns)
    assert not running.done()
    world.source.answered = True
    assert (await running)["consumed"] == 3


async def test_a_stop_finishes_what_was_taken_in() -> None:
    world = World(ends=False)
    world.sink.hold()
    world.produce(10)
    running = world.start()
    await until(lambda: world.decided == 10)
    world.service.stop()
    await asyncio.sleep(0)
    assert not running.done()
    world.sink.release()
    assert (await running)["consumed"] == 10
    assert world.committed == {T0: 5, T1: 5}


async def test_it_is_warm_before_it_joins_and_joins_when_it_may() -> None:
    may_join = asyncio.Event()
    world = World(service={"before_join": may_join.wait})
    world.produce(10)
    running = world.start()
    await until(lambda: world.service.readiness()["model"])
    assert not world.service.readiness()["assignment"]
    assert world.decided == 0
    may_join.set()
    assert (await running)["consumed"] == 10


async def test_a_stop_while_it_may_not_join_yet_is_an_end() -> None:
    may_join = asyncio.Event()
    world = World(ends=False, service={"before_join": may_join.wait})
    world.produce(10)
    running = world.start()
    await until(lambda: world.service.readiness()["model"])
    world.service.stop()
    may_join.set()
    assert (await running)["consumed"] == 0
    assert world.executor.closed


async def test_a_stop_before_the_start_stops_at_once() -> None:
    world = World(ends=False)
    world.produce(10)
    world.service.stop()
    summary = await world.run()
    assert summary["consumed"] + summary["handed_back"] <= 10


async def test_what_is_not_finished_in_time_is_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.draining.DRAIN_GRACE_NS", 1_000_000)
    world = World(ends=False)
    world.sink.hold()
    world.produce(4, partitions=1)
    running = world.start()
    await until(lambda: world.decided == 4)
    world.sink.release(0)
    world.service.stop()
    summary = await running
    assert (summary["consumed"], summary["handed_back"]) == (0, 4)
    assert world.committed == {T0: 0, T1: 0}


@pytest.mark.parametrize("null", [True, False])
async def test_a_drain_ends_when_the_last_events_are_not_even_sent(null: bool) -> None:
    """Dead letters without a topic have no acknowledgement that could wake what waits for them."""
    entered, go = threading.Event(), threading.Event()

    def model(inputs: Columns) -> Columns:
        if len(inputs["input"]) == 3:
            entered.set()
            go.wait(5)
        if entered.is_set():  # each event is tried again, alone
            raise RuntimeError
        return {"output": inputs["input"]}

    outcomes = Outcomes(dead_letter_topic=None if null else "p.dlq")
    executor = FakeExecutor(model, inline=False)
    world = World(executor=executor, ends=False, outcomes=outcomes)
    world.produce(3, partitions=1)
    running = world.start()
    await until(entered.is_set)
    world.service.stop()
    await asyncio.sleep(0.001)
    go.set()
    async with asyncio.timeout(2):
        summary = await running
    assert summary["outcomes"]["dead_letter"] == 3
    assert world.committed[T0] == 3


# -- positions ------------------------------------------------------------------------------------------


async def test_positions_are_committed_as_they_are_done() -> None:
    world = World(ends=False, source=_committing_often())
    world.sink.hold()
    world.produce(6, partitions=1)
    running = world.start()
    await until(lambda: world.decided == 6)
    assert world.committed[T0] == 0
    world.sink.release()
    await until(lambda: world.committed[T0] == 6)
    world.broker.skip("ticks", 0, offsets=2)  # a transaction's marker and one compacted away
    await until(lambda: world.committed[T0] == 8)
    world.service.stop()
    await running


async def test_a_commit_that_fails_is_tried_again() -> None:
    world = World(ends=False, source=_committing_often())
    world.source.fail_commits(ExternalError("not now", retriable=True), times=2)
    world.produce(2, partitions=1)
    running = world.start()
    await until(lambda: world.committed.get(T0) == 2)
    world.service.stop()
    await running


async def test_a_commit_that_fails_for_good_ends_it() -> None:
    world = World(ends=False, source=_committing_often())
    world.source.fail_commits(ExternalError("never"), times=10**6)
    world.produce(2, partitions=1)
    with pytest.raises(ExternalError, match="never"):
        await world.run()


def _committing_often() -> Any:
    return KafkaSource(topics=("ticks",), commit_interval=Duration.parse("1ms"))


async def test_a_restart_goes_on_where_it_ended() -> None:
    world = World(service={"stop_after": 5})
    world.produce(12, partitions=1)
    await world.run()
    again = World()
    again.broker = world.broker
    again.source = MemorySource(world.broker, ["ticks"], group="p", ends=True)
    config = pipeline(deadline=within("60s"))
    sink = MemorySink(world.broker)
    parts = config.parts(source=again.source, sink=sink, executor=FakeExecutor(), clock=world.clock)
    again.service = Service(config, parts)
    assert (await again.run())["consumed"] == 7
    ids = [r.json()["id"] for r in world.broker.records("decisions")]
    assert ids == [f"ticks/0/{n}" for n in range(12)]


# -- failures -------------------------------------------------------------------------------------------


async def test_a_sink_that_fails_for_good_ends_it() -> None:
    world = World(ends=False)
    world.sink.fail(ExternalError("the broker refuses"))
    world.produce(3)
    with pytest.raises(ExternalError, match="the broker refuses"):
        await world.run()
    assert world.committed == {T0: 0, T1: 0}
    assert world.executor.closed
    summary = world.service.summary()
    assert summary is not None
    assert (summary["consumed"], summary["handed_back"]) == (0, 3)


async def test_a_source_that_fails_for_good_ends_it_without_delay() -> None:
    world = World(ends=False)
    world.sink.hold()
    world.produce(3)
    running = world.start()
    await until(lambda: world.decided == 3)
    world.sink.release(0)
    world.source.fail_polls(ExternalError("the source is gone"))
    with pytest.raises(ExternalError, match="the source is gone"):
        await running


async def test_a_topic_that_is_not_there_is_said() -> None:
    world = World()
    world.source._topics.append("nothing")
    with pytest.raises(ConfigError, match="nothing"):
        await world.run()
    assert world.executor.closed


# -- where the model runs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("executor", "on_loop"),
    [
        ({}, True),
        ({"inline": False}, False),
        ({"concurrency": 2}, False),
        ({"inputs": ()}, False),  # nothing is known of its time: it begins on a thread
    ],
)
async def test_a_quick_model_runs_on_the_loop_and_others_on_threads(
    executor: Any, on_loop: bool
) -> None:
    threads = []

    def model(inputs: Columns) -> Columns:
        threads.append(threading.current_thread())
        return {"output": inputs["input"]}

    world = World(executor=FakeExecutor(model, **executor))
    world.produce(1)
    assert (await world.run())["outcomes"]["on_time"] == 1
    assert (threads[-1] is threading.main_thread()) is on_loop


class Hurried(SystemClock):
    """A clock that can be put forward."""

    ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


@pytest.mark.parametrize(("runs_on", "on_loop"), [("CPUExecutionProvider", True), ("a GPU", False)])
async def test_a_model_that_only_waited_for_the_loop_comes_back_to_it(
    runs_on: str, on_loop: bool
) -> None:
    clock, threads = Hurried(), list[threading.Thread]()

    def model(inputs: Columns) -> Columns:
        threads.append(threading.current_thread())
        if threads[-1] is not threading.main_thread():
            clock.ahead_ns += (
                5 * NS_PER_MS
            )  # so long the loop kept the interpreter, or the GPU took
        return {"output": inputs["input"]}

    executor = FakeExecutor(model, inputs=())  # nothing is known of its time: it begins on a thread
    executor.info = replace(executor.info, runs_on=runs_on)
    world = World(executor=executor, clock=clock, batching=Batching(max_size=4))
    world.produce(64)
    assert sum((await world.run())["outcomes"].values()) == 64
    assert threads[0] is not threading.main_thread()
    assert (threads[-1] is threading.main_thread()) is on_loop


# -- back-pressure -----------------------------------------------------------------------------------------


async def test_a_jam_pauses_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.IN_FLIGHT_MAX", 8)
    monkeypatch.setattr("streamproc.runtime.intake_loop.RECORDS_MAX", 4)
    monkeypatch.setattr("streamproc.runtime.intake_loop.PAUSE_AFTER_S", 0.001)
    world = World()
    world.sink.hold()
    world.produce(40)
    running = world.start()
    await until(lambda: world.source.paused)
    assert 8 <= world.decided < 16
    world.sink.release()
    await running
    assert not world.source.paused
    assert world.decided == 40


# -- readiness and assignments -------------------------------------------------------------------------------


async def test_it_is_ready_when_all_is_there() -> None:
    world = World(ends=False)
    assert world.service.readiness() == {
        "model": False, "assignment": False, "broker": False, "features": False,
    }  # fmt: skip
    assert world.service.summary() is None
    running = world.start()
    await until(lambda: all(world.service.readiness().values()))
    world.sink.is_healthy = False
    assert not world.service.readiness()["broker"]
    world.sink.is_healthy = True
    await world.source.revoke([T1])
    assert all(world.service.readiness().values())  # a partition is left
    await world.source.revoke([T0])
    assert not world.service.readiness()["assignment"]
    await world.source.assign([T0])
    assert all(world.service.readiness().values())
    world.broker.produce("ticks", {"x": 1}, partition=1)
    assert world.service.gauges().lag_records == {T0: 0}
    world.service.stop()
    await running


async def test_a_revoke_waits_for_what_is_under_way_and_commits_it() -> None:
    world = World(ends=False)
    world.sink.hold()
    world.produce(10)
    running = world.start()
    await until(lambda: world.decided == 10)
    revoking = asyncio.create_task(world.source.revoke([T0]))
    await asyncio.sleep(0.001)
    assert not revoking.done()
    world.sink.release()
    await revoking
    assert world.committed[T0] == 5
    world.broker.produce("ticks", {"x": 1}, partition=0)  # of no concern any more
    world.broker.produce("ticks", {"x": 1}, partition=1)
    await until(lambda: world.decided == 11)
    world.service.stop()
    summary = await running
    assert (summary["consumed"], summary["handed_back"]) == (11, 0)
    assert world.committed == {T0: 5, T1: 6}


async def test_a_revoke_does_not_wait_for_what_came_after_it() -> None:
    """Else a busy stream would never let go before the grace is over."""
    world = World(ends=False)
    world.sink.hold()
    world.produce(4)
    running = world.start()
    await until(lambda: world.decided == 4)
    revoking = asyncio.create_task(world.source.revoke([T0]))
    await asyncio.sleep(0)
    for _ in range(50):  # one more is always under way
        world.produce(2)
        decided = world.decided
        await until(lambda: world.decided > decided)  # noqa: B023
        world.sink.release(1)
        if revoking.done():
            break
    assert revoking.done()
    world.sink.release()
    await revoking
    world.service.stop()
    await running


async def test_two_members_share_and_take_over() -> None:
    one, two = World(ends=False), World(ends=False)
    two.broker = one.broker
    two.source = MemorySource(one.broker, ["ticks"], group="p")
    config = pipeline(deadline=within("60s"))
    parts = config.parts(
        source=two.source,
        sink=MemorySink(one.broker),
        executor=FakeExecutor(),
        clock=one.clock,
    )
    two.service = Service(config, parts)
    first = one.start()
    one.produce(10)
    await until(lambda: one.decided == 10)
    second = two.start()
    await until(lambda: len(one.source.owned) == len(two.source.owned) == 1)
    one.produce(10)
    await until(lambda: one.decided == 20)
    two.service.stop()
    await second
    one.produce(10)
    await until(lambda: one.decided == 30)
    one.service.stop()
    await first
    ids = [r.json()["id"] for r in one.broker.records("decisions")]
    assert len(set(ids)) == len(ids) == 30
    assert one.committed == {T0: 15, T1: 15}


async def test_its_endpoints_are_told_to_who_waits() -> None:
    told: list[str | None] = []
    telemetry = Telemetry(metrics=Metrics(listen="127.0.0.1:0"))
    world = World(telemetry=telemetry, service={"on_ready": told.append})
    await world.run()
    (address,) = told
    assert address is not None
    assert "127.0.0.1:" in address


async def test_what_ends_beside_the_work_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A lookup's table that nobody brings up to date any more must not be found out weeks later."""

    async def broken(_: object) -> None:
        msg = "nobody thought of this"
        raise RuntimeError(msg)

    monkeypatch.setattr("streamproc.runtime.table_topics.TableTopics.follow", broken)
    world = World()
    world.produce(10)
    summary = await world.run()
    assert summary["consumed"] == 10
    assert "nobody thought of this" in caplog.text

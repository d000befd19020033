"""The group: all wait for all, all are counted together, one end for all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from streamproc.core import ExternalError, TopicPartition, VirtualClock
from streamproc.runtime import WorkerGroup
from streamproc.runtime.slo_watch import SloWatch
from streamproc.runtime.workers import group
from streamproc.runtime.workers.messages import Brake
from streamproc.slo import Measures, Objective
from streamproc.telemetry import Gauges, Summary
from tests.engine.pipelines import pipeline
from tests.runtime.workers.lives import MODEL, FakeLife, FakeLives, books, until

S = 1_000_000_000
T0, T1 = TopicPartition("ticks", 0), TopicPartition("ticks", 1)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "_LOOK_EVERY_NS", 1_000_000)


class World:
    def __init__(self, name: str, **settings: Any) -> None:
        self.lives = FakeLives()
        self.clock = VirtualClock()
        self.ready: list[str | None] = []
        self.group = WorkerGroup(
            pipeline(name="p", source=replace(pipeline().source, group_id=name)),
            2,
            clock=self.clock,
            on_ready=self.ready.append,
            start=self.lives.start,
            **settings,
        )

    async def both(self) -> tuple[FakeLife, FakeLife]:
        return await self.lives.number(0), await self.lives.number(1)

    async def both_ready(self) -> tuple[FakeLife, FakeLife]:
        both = await self.both()
        for life in both:
            life.warm()
            life.tell_of()
        await until(lambda: self.ready)
        return both


@contextlib.asynccontextmanager
async def running(name: str, **settings: Any) -> AsyncIterator[tuple[World, asyncio.Task[Summary]]]:
    world = World(name, **settings)
    task = asyncio.create_task(world.group.run())
    try:
        yield world, task
    finally:
        world.group.stop()
        await asyncio.gather(task, return_exceptions=True)


async def looked_again(world: World) -> None:
    """Wait until the group has asked twice whether it is done."""
    asked: list[None] = []
    is_done = world.group._is_done

    def asking() -> bool:
        asked.append(None)
        return is_done()

    world.group._is_done = asking  # type: ignore[method-assign]
    await until(lambda: len(asked) > 1)


async def test_nobody_joins_before_all_are_warm_and_ready_is_when_all_are(topic_name: str) -> None:
    async with running(topic_name) as (world, _):
        first, second = await world.both()
        first.warm()
        first.tell_of(ready=False)
        await until(lambda: world.group.workers[0].models == [MODEL])
        assert first.orders == []
        assert world.group.readiness() == {
            "worker 0 model": True,
            "worker 0 assignment": False,
            "worker 0 broker": True,
            "worker 1 start": False,
        }
        second.warm()
        await until(lambda: first.orders == second.orders == ["join"])
        second.tell_of(ready=True)
        await until(lambda: world.group.workers[1].state == "ready")
        assert world.ready == []
        first.tell_of(ready=True)
        await until(lambda: world.ready == [None])
        assert all(world.group.readiness().values())
        assert world.group.models() == [MODEL]


async def test_each_has_a_member_id_of_its_own(topic_name: str) -> None:
    async with running(topic_name) as (world, _), running(topic_name) as (other, _):
        ids = [
            life.job.config.source.group_instance_id
            for life in (*await world.both(), *await other.both())
        ]
        assert len(set(ids)) == 4
        assert all(
            isinstance(found, str) and found[-2:] in {"-0", "-1", "-2", "-3"} for found in ids
        )
        assert all(life.job.config.telemetry.metrics.listen is None for life in world.lives.all)


async def test_books_and_gauges_are_sums(topic_name: str) -> None:
    async with running(topic_name) as (world, _):
        first, second = await world.both_ready()
        gauges = Gauges(queue_depth=3, lag_records={T0: 5}, loop_lag_seconds=0.2)
        first.tell_of(books(fetched=4, on_time=3), gauges=gauges, cpu_ns=S)
        gauges = Gauges(queue_depth=4, lag_records={T1: 6}, loop_lag_seconds=0.1)
        second.tell_of(books(fetched=9, on_time=8, shed=1), gauges=gauges, cpu_ns=2 * S)
        await until(lambda: world.group.accounts().fetched == 13)
        accounts, found = world.group.accounts(), world.group.gauges()
        assert (accounts.consumed, accounts.in_flight) == (12, 1)
        assert (found.queue_depth, found.loop_lag_seconds) == (7, 0.2)
        assert found.lag_records == {T0: 5, T1: 6}
        assert found.workers is not None
        assert found.workers.by_state == {"starting": 0, "ready": 2, "down": 0}
        assert found.workers.cpu_seconds == 3
        summary = world.group.summary()
        assert summary["outcomes"]["on_time"] == 11
        assert summary["cpu_s"] >= 3
        assert summary["workers"] == {"count": 2, "restarts": 0}


async def test_a_failure_at_the_start_ends_all_with_its_own_words(topic_name: str) -> None:
    async with running(topic_name) as (world, task):
        first, second = await world.both()
        first.fail(ExternalError("source.kafka: no broker", retriable=True))
        with pytest.raises(ExternalError, match=r"^source\.kafka: no broker$"):
            await task
        assert second.orders == ["stop"]
        assert world.ready == []


async def test_a_death_later_is_one_restart(topic_name: str) -> None:
    async with running(topic_name) as (world, task):
        first, _ = await world.both_ready()
        first.fail(ExternalError("source.kafka: no broker", retriable=True))
        third = await world.lives.number(2)
        assert third.job == first.job
        assert not all(world.group.readiness().values())
        third.warm()
        third.tell_of()
        await until(lambda: all(world.group.readiness().values()))
        assert world.ready == [None]
        world.group.stop()
        assert (await task)["workers"] == {"count": 2, "restarts": 1}


async def test_a_pause_reaches_all_and_those_that_come_later(topic_name: str) -> None:
    async with running(topic_name) as (world, _):
        first, second = await world.both_ready()
        assert world.group.state() == "running"
        world.group.pause()
        assert first.orders == second.orders == ["join", "pause"]
        assert world.group.state() == "paused"
        first.fail(ExternalError("source.kafka: no broker", retriable=True))
        third = await world.lives.number(2)
        assert third.orders == ["pause"]
        world.group.resume()
        assert third.orders == ["pause", "resume"]
        assert second.orders == ["join", "pause", "resume"]


async def test_objectives_are_held_against_the_books_of_all(topic_name: str) -> None:
    async with running(topic_name) as (world, _):
        first, second = await world.both_ready()
        first.tell_of(books(on_time=90, late=10))
        second.tell_of(books(on_time=100))
        await until(lambda: world.group.summary()["consumed"] == 200)
        slo = SloWatch(
            replace(pipeline(), slo=(Objective("on-time", 99.0, good="on_time"),)),
            world.clock,
            accounts=world.group.accounts,
            brake=world.group.brake,
        )
        for _ in range(2):
            slo.look()
            world.clock.advance(60 * S)
            first.tell_of(books(on_time=190, late=110))
            await until(lambda: world.group.summary()["consumed"] == 400)
        (standing,) = slo.view()
        assert (standing["events"], standing["bad"]) == (200, 100)


async def test_what_a_burning_budget_asks_for_reaches_all_and_those_that_come_later(
    topic_name: str,
) -> None:
    brake = Brake(Measures(max_queue=5, because=("on-time",)))
    async with running(topic_name) as (world, _):
        first, second = await world.both_ready()
        world.group.brake(brake.measures)
        assert first.orders == second.orders == ["join", brake]
        first.fail(ExternalError("source.kafka: no broker", retriable=True))
        third = await world.lives.number(2)
        third.warm()
        await until(lambda: brake in third.orders)


async def test_the_end_by_number(topic_name: str) -> None:
    async with running(topic_name, stop_after=10) as (world, task):
        first, second = await world.both_ready()
        first.tell_of(books(fetched=4, on_time=4))
        second.tell_of(books(fetched=6, on_time=6))
        assert (await task)["consumed"] == 10
        assert first.orders == second.orders == ["join", "stop"]


async def test_the_end_when_nothing_comes(topic_name: str) -> None:
    async with running(topic_name, stop_when_idle_ns=5 * S) as (world, task):
        first, second = await world.both_ready()
        first.tell_of(books(fetched=4, on_time=3))
        await until(lambda: world.group.accounts().fetched == 4)
        world.clock.advance(60 * S)  # one is under way all this time
        await looked_again(world)
        assert not task.done()
        first.tell_of(books(fetched=4, on_time=4))
        await until(lambda: world.group.accounts().consumed == 4)
        await looked_again(world)
        world.clock.advance(5 * S)
        assert (await task)["consumed"] == 4
        assert second.orders == ["join", "stop"]

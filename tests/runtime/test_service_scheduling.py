"""A service waits, jumps and changes variants as the scheduler says, on a real event loop."""

import pytest

from streamproc.core import Duration, ExternalError
from streamproc.executors import Model, ModelVariant, Simulated
from streamproc.scheduling import Batching, Expired, Lane, Planner, SkipAhead
from streamproc.testing import FakeExecutor
from tests.runtime.test_service import T0, T1, World, until

NS_PER_S = 1_000_000_000
HOUR_NS = 3_600 * NS_PER_S


def waiting(delay: str) -> Batching:
    return Batching(policy="fixed", max_size=256, max_queue_delay=Duration.parse(delay))


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.POLL_NS", 1_000_000)


async def test_what_waits_runs_when_its_time_has_come() -> None:
    world = World(ends=False, batching=waiting("20ms"), ordering="none")
    running = world.start()
    await until(lambda: len(world.source.owned) == 2)
    world.produce(3)
    await until(lambda: world.decided == 3)
    world.service.stop()
    await running
    accounts = world.service.accounts()
    assert accounts is not None
    assert sum(accounts.batches.values()) == 1
    assert (
        accounts.stages["queue"].percentile_ns(0) >= 15_000_000
    )  # the loop's timer may be early by 1 ms


async def test_a_stop_waits_for_nobody() -> None:
    world = World(ends=False, batching=waiting("50s"))
    running = world.start()
    await until(lambda: len(world.source.owned) == 2)
    world.produce(3)
    await until(lambda: world.service.gauges().queue_depth == 3)
    assert not world.decided
    world.service.stop()
    await running
    assert world.decided == 3
    accounts = world.service.accounts()
    assert accounts is not None
    assert sum(accounts.batches.values()) == 1


async def test_a_partition_that_leaves_waits_for_nobody() -> None:
    world = World(ends=False, batching=waiting("50s"))
    running = world.start()
    await until(lambda: len(world.source.owned) == 2)
    world.produce(4)
    await until(lambda: world.service.gauges().queue_depth == 4)
    await world.source.revoke([T0])
    assert world.committed[T0] == 2
    world.service.stop()
    await running
    assert world.decided == 4


async def test_a_backlog_that_is_too_old_is_jumped_over() -> None:
    world = World(shed=(Expired(), Planner(), SkipAhead(min_records=100)))
    now_ns = world.clock.now_ns()
    for n in range(20_000):
        world.broker.produce("ticks", {"x": n}, partition=0, timestamp_ns=now_ns - HOUR_NS + n)
    world.broker.skip("ticks", 0, offsets=3)
    for n in range(5):
        world.broker.produce("ticks", {"x": n}, partition=0, timestamp_ns=now_ns + n)
    summary = await world.run()
    accounts = world.service.accounts()
    assert accounts is not None
    assert accounts.skips["skip_ahead"] == summary["skipped"] > 15_000
    assert accounts.fetched + accounts.skipped == 20_008
    assert summary["outcomes"]["on_time"] >= 5
    assert world.committed == {T0: 20_008, T1: 0}


async def test_a_jump_that_fails_is_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ExternalError("no answer", retriable=True)

    world = World(shed=(Expired(), SkipAhead(min_records=100)))
    monkeypatch.setattr(world.source, "skip_to", fail)
    now_ns = world.clock.now_ns()
    for n in range(10_000):
        world.broker.produce("ticks", {"x": n}, partition=0, timestamp_ns=now_ns - HOUR_NS)
    world.broker.produce("ticks", {"x": 1}, partition=0)
    summary = await world.run()
    assert summary["consumed"] == 10_001
    assert summary["skipped"] == 0


async def test_the_gauges_tell_of_lanes_and_of_the_variant() -> None:
    def variant(name: str, quality: float) -> ModelVariant:
        return ModelVariant(name, quality=quality, executor=Simulated())

    small = FakeExecutor(variant="small")
    world = World(
        ends=False,
        batching=waiting("50s"),
        ordering="none",
        model=Model(variants=(variant("full", 1.0), variant("small", 0.5))),
        lanes=(Lane("high", "x > 1"),),
        executor=[FakeExecutor(), small],
    )
    running = world.start()
    await until(lambda: len(world.source.owned) == 2)
    world.produce(5)
    await until(lambda: world.service.gauges().queue_depth == 5)
    gauges = world.service.gauges()
    assert gauges.lane_depths == {"high": 3, "default": 2}
    assert gauges.variant_level == 0
    assert gauges.demand_workers is not None
    assert [model.variant for model in world.service.models()] == ["full", "small"]
    world.service.stop()
    summary = await running
    assert {lane: words["on_time"] for lane, words in summary["lanes"].items()} == {
        "high": 3, "default": 2, "unknown": 0,
    }  # fmt: skip
    assert small.closed

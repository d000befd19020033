"""Alerts of the pipeline itself, with real webhooks and a real service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    ConfigError,
    Duration,
    Outcome,
    SystemClock,
    VirtualClock,
)
from streamproc.executors import Model, ModelVariant, Simulated
from streamproc.runtime import Service
from streamproc.runtime.scheduling import make_accounts
from streamproc.runtime.slo_watch import SloWatch
from streamproc.slo import Alert, Alerts, Measures, Objective, OnBurn, fingerprint
from streamproc.testing import FakeExecutor, MemoryBroker, MemorySink, MemorySource
from tests.engine.pipelines import pipeline, within
from tests.support.processes import free_port
from tests.support.webhook import Hook, hook

if TYPE_CHECKING:
    from streamproc.telemetry import Accounts

DAY = Duration.parse("1d")
PROMISE = Objective("on-time", 99.0, good="on_time", period=DAY)
SMALL = OnBurn(variant="small", max_queue=5, hold=Duration.parse("30s"))
ALERT = Alert("firing", {"alertname": "a", "window": "2m"}, {}, "2026-01-01T00:00:00.000Z")


@pytest.fixture
def taken() -> Iterator[Hook]:
    with hook() as server:
        yield server


class World:
    """A watch over books that the test writes, on a virtual clock."""

    def __init__(self, alerts: Alerts, objective: Objective = PROMISE) -> None:
        variants = (
            ModelVariant("full", executor=Simulated()),
            ModelVariant("small", quality=0.9, executor=Simulated()),
        )
        self.config = pipeline(slo=(objective,), alerts=alerts, model=Model(variants=variants))
        self.books: Accounts = make_accounts(self.config)
        self.clock = VirtualClock()
        self.braked: list[Measures] = []
        self.watch = self.make_watch()

    def make_watch(self) -> SloWatch:
        return SloWatch(
            self.config, self.clock, accounts=lambda: self.books, brake=self.braked.append
        )

    def go(self, seconds: int, outcome: Outcome) -> None:
        for _ in range(seconds // 5):
            self.clock.advance(5 * NS_PER_S)
            self.books.settle(outcome, 50, "expired" if outcome is Outcome.SHED else "")
            self.watch.look()


async def until(what: object) -> None:
    async with asyncio.timeout(30):
        while not what():  # type: ignore[operator]  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_page_reaches_the_webhook_once_and_is_resolved(taken: Hook) -> None:
    world = World(Alerts(webhook=taken.url, token="a-token-of-the-hook"))
    running = asyncio.create_task(world.watch.run())
    await asyncio.sleep(0)
    world.go(60, Outcome.ON_TIME)
    world.go(60, Outcome.SHED)
    await until(lambda: taken.alerts("firing"))
    world.go(600, Outcome.ON_TIME)
    await until(lambda: taken.alerts("resolved"))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    pages = [a for a in taken.alerts("firing") if a["labels"]["window"] == "2m"]
    assert len(pages) == 1
    assert pages[0]["labels"] == {
        "alertname": "StreamprocBudgetBurn",
        "pipeline": "p",
        "slo": "on-time",
        "severity": "page",
        "window": "2m",
    }
    assert pages[0]["fingerprint"] == fingerprint(pages[0]["labels"])
    assert taken.messages[0]["version"] == "4"
    assert taken.messages[0]["groupLabels"] == {"pipeline": "p"}
    assert taken.headers[0]["Authorization"] == "Bearer a-token-of-the-hook"
    over = [a for a in taken.alerts("resolved") if a["labels"]["window"] == "2m"]
    assert {a["startsAt"] for a in over} == {pages[0]["startsAt"]}  # the last word may come twice


async def test_a_dead_webhook_is_tried_again_and_holds_nothing_up() -> None:
    world = World(Alerts(webhook=f"http://127.0.0.1:{free_port()}/gone"))
    running = asyncio.create_task(world.watch.run())
    await asyncio.sleep(0)
    world.go(120, Outcome.SHED)

    def failures() -> float:
        samples = [s for f in world.watch.collector.collect() for s in f.samples]
        return sum(s.value for s in samples if s.name == "streamproc_alerts_failed_total")

    await until(failures)
    running.cancel()
    async with asyncio.timeout(20):
        await asyncio.gather(running, return_exceptions=True)


def test_a_burning_budget_acts_and_gives_back() -> None:
    promise = replace(PROMISE, good=("on_time", "degraded"), on_burn=SMALL)
    world = World(Alerts(), promise)
    world.go(60, Outcome.ON_TIME)
    world.go(60, Outcome.SHED)
    assert world.braked == [Measures("small", 5, ("on-time",))]
    assert world.watch.view()[0]["acting"]
    world.go(3 * 3_600, Outcome.ON_TIME)
    assert world.braked == [Measures("small", 5, ("on-time",)), Measures()]
    assert not world.watch.view()[0]["acting"]


async def test_the_windows_survive_a_restart(tmp_path: Path) -> None:
    world = World(Alerts(state=str(tmp_path / "p.state")))
    running = asyncio.create_task(world.watch.run())
    await asyncio.sleep(0.01)
    world.go(120, Outcome.SHED)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    world.books = make_accounts(world.config)
    world.watch = world.make_watch()
    again = asyncio.create_task(world.watch.run())
    await until(world.watch.view)
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    assert world.watch.view()[0]["bad"] == pytest.approx(1_200, rel=0.05)


async def test_a_service_decides_with_a_cheaper_variant_while_its_budget_burns(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = SystemClock()
    broker = MemoryBroker({"ticks": 1, "decisions": 1, "p.dlq": 1}, clock=clock)
    promise = replace(PROMISE, good=("on_time", "degraded"), on_burn=SMALL, min_events=10)
    quick = Simulated(fixed=Duration.parse("1ms"), per_event=Duration.parse("10us"))
    variants = (
        ModelVariant("full", executor=quick),
        ModelVariant("small", quality=0.9, executor=quick),
    )
    config = pipeline(
        slo=(promise,),
        alerts=Alerts(every=Duration.parse("100ms")),
        deadline=within("20s"),
        model=Model(variants=variants),
    )
    source = MemorySource(broker, ["ticks"], group="p")
    service = Service(config, config.parts(source=source, sink=MemorySink(broker), clock=clock))
    running = asyncio.create_task(service.run())
    broker.produce("ticks", {"x": 1.0})
    await until(lambda: broker.records("decisions"))
    long_ago_ns = clock.now_ns() - 60 * NS_PER_S
    for place in range(200):
        broker.produce("ticks", {"x": 1.0}, timestamp_ns=long_ago_ns + place * NS_PER_MS)
    await until(lambda: service.objectives() and service.objectives()[0]["acting"])
    broker.produce("ticks", {"x": 2.0})
    await until(lambda: len(broker.records("decisions")) == 2)
    service.stop()
    await running
    models = [record.json()["model"]["variant"] for record in broker.records("decisions")]
    assert models == ["full", "small"]
    assert (
        "variant small or a cheaper one decides and what comes while 5 wait is shed" in caplog.text
    )


async def test_a_reload_brings_other_objectives() -> None:
    clock = SystemClock()
    broker = MemoryBroker({"ticks": 1, "decisions": 1, "p.dlq": 1}, clock=clock)
    config = pipeline(slo=(PROMISE,), alerts=Alerts(every=Duration.parse("100ms")))
    source = MemorySource(broker, ["ticks"], group="p")
    service = Service(config, config.parts(source=source, sink=MemorySink(broker), clock=clock))
    running = asyncio.create_task(service.run())
    await until(service.objectives)
    stricter = replace(PROMISE, objective=99.9)
    told = await service.reload(replace(config, slo=(stricter, replace(PROMISE, name="more"))))
    assert told["changed"] == ["slo"]
    await until(lambda: len(service.objectives()) == 2)
    assert [(o["name"], o["objective"]) for o in service.objectives()] == [
        ("on-time", 99.9),
        ("more", 99.0),
    ]
    odd = Objective("odd", 99.0, latency=Duration.parse("47ms"))
    with pytest.raises(ConfigError, match="47ms is no bucket boundary"):
        await service.reload(replace(config, slo=(odd,)))
    service.stop()
    await running


@contextlib.asynccontextmanager
async def burning(world: World) -> AsyncIterator[None]:
    """A watch with a page that fires."""
    running = asyncio.create_task(world.watch.run())
    await asyncio.sleep(0)
    world.go(60, Outcome.ON_TIME)
    world.go(60, Outcome.SHED)
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def pages(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [alert for alert in alerts if alert["labels"]["window"] == "2m"]


def sent_by(world: World) -> float:
    samples = [s for f in world.watch.collector.collect() for s in f.samples]
    return sum(s.value for s in samples if s.name == "streamproc_alerts_sent_total")


async def test_a_reload_takes_what_fires_to_another_webhook(taken: Hook) -> None:
    world = World(Alerts(webhook=taken.url))
    with hook() as other:
        async with burning(world):
            await until(lambda: pages(taken.alerts("firing")))
            world.watch.change(replace(world.config, alerts=Alerts(webhook=other.url)))
            await until(lambda: pages(other.alerts("firing")) and pages(taken.alerts("resolved")))
            (first,), (second,) = pages(taken.alerts("firing")), pages(other.alerts("firing"))
            for name in ("status", "labels", "startsAt", "fingerprint"):
                assert second[name] == first[name]
            (over,) = pages(taken.alerts("resolved"))
            assert over["fingerprint"] == first["fingerprint"]
            assert "a reload named other places" in over["annotations"]["note"]

            heard = len(taken.messages)
            world.go(600, Outcome.ON_TIME)
            await until(lambda: pages(other.alerts("resolved")))
            assert "note" not in pages(other.alerts("resolved"))[0]["annotations"]
            assert len(taken.messages) == heard

            came = sum(len(m["alerts"]) for m in (*taken.messages, *other.messages))
            await until(lambda: sent_by(world) == came)  # counted over both

            world.watch.change(replace(world.config, alerts=Alerts()))  # nowhere
            before = len(other.alerts("firing"))
            world.go(60, Outcome.SHED)
        assert len(other.alerts("firing")) == before


async def test_another_token_is_sent_and_nothing_is_told_again(taken: Hook) -> None:
    world = World(Alerts(webhook=taken.url, token="the-first-token"))
    async with burning(world):
        await until(lambda: pages(taken.alerts("firing")))
        alerts = Alerts(webhook=taken.url, token="the-second-token")
        world.watch.change(replace(world.config, alerts=alerts))
        world.go(600, Outcome.ON_TIME)
        await until(lambda: pages(taken.alerts("resolved")))
    assert taken.headers[0]["Authorization"] == "Bearer the-first-token"
    assert taken.headers[-1]["Authorization"] == "Bearer the-second-token"
    assert len(pages(taken.alerts("firing"))) == 1


async def test_without_objectives_what_was_open_is_over_and_what_was_done_is_given_back(
    taken: Hook,
) -> None:
    promise = replace(PROMISE, good=("on_time", "degraded"), on_burn=SMALL)
    world = World(Alerts(webhook=taken.url), promise)
    async with burning(world):
        await until(lambda: pages(taken.alerts("firing")))
        world.watch.change(replace(world.config, slo=()))
        world.go(5, Outcome.SHED)
        await until(lambda: pages(taken.alerts("resolved")))
        assert world.braked[-1] == Measures()


def test_what_fires_is_repeated_as_the_new_settings_say() -> None:
    world = World(Alerts())
    told: list[Alert] = []
    world.watch._places.tell = told.extend  # type: ignore[method-assign]
    world.go(60, Outcome.ON_TIME)
    world.go(120, Outcome.SHED)
    (began,) = {a.starts_at for a in told if a.labels.get("window") == "2m"}
    told.clear()
    repeat = Alerts(repeat=Duration.parse("1m"), every=Duration.parse("10s"))
    world.watch.change(replace(world.config, alerts=repeat))
    world.go(180, Outcome.SHED)
    again = [a for a in told if a.labels.get("window") == "2m"]
    assert [a.status for a in again] == ["firing"] * 3
    assert {a.starts_at for a in again} == {began}
    (standing,) = world.watch.view()
    assert standing["events"] == 71 * 50  # since the first look: the windows have lost nothing


async def test_a_reload_of_a_service_takes_other_alerts(taken: Hook) -> None:
    broker = MemoryBroker({"ticks": 1, "decisions": 1}, clock=(clock := SystemClock()))
    config = pipeline(slo=(PROMISE,), deadline=within("10s"))
    parts = config.parts(
        source=MemorySource(broker, ["ticks"], group="p"),
        sink=MemorySink(broker),
        executor=FakeExecutor(),
        clock=clock,
    )
    service = Service(config, parts)
    running = asyncio.create_task(service.run())
    await until(lambda: service.state() == "running")
    answer = await service.reload(replace(config, alerts=Alerts(webhook=taken.url)))
    assert answer["changed"] == ["alerts"]
    assert service._slo is not None
    service._slo._places.tell([ALERT])
    await until(lambda: taken.messages)
    service.stop()
    await running

"""Every metric that a panel or a rule names stands on the page of a run."""

import asyncio
import json
import re

import urllib3

from streamproc.cli.screen import result_console
from streamproc.cli.slo_status import fetch, show_status
from streamproc.core import NS_PER_MS, Duration, SystemClock
from streamproc.executors import Canary, Model, ModelVariant, Rollout, Simulated
from streamproc.runtime import Service
from streamproc.slo import Alerts, Objective, OnBurn, Session, rules_of
from streamproc.slo.deployment import files
from streamproc.telemetry import Metrics, Telemetry
from streamproc.testing import MemoryBroker, MemorySink, MemorySource
from tests.engine.pipelines import pipeline, within
from tests.support.processes import free_port

_METRIC = re.compile(r"(?<![:\w])streamproc_[a-z0-9_]+")
ALWAYS = Session("00:00", "23:59", days=("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
OBJECTIVES = (
    Objective("a", 99.0, good=("on_time", "degraded"), on_burn=OnBurn(variant="small")),
    Objective("b", 99.0, latency=Duration.parse("45ms")),
    Objective("c", 99.0, freshness=Duration.parse("3s"), period=ALWAYS),
)


async def page_of_a_run() -> tuple[str, dict[str, object]]:
    clock, port = SystemClock(), free_port()
    broker = MemoryBroker({"ticks": 1, "decisions": 1, "p.dlq": 1}, clock=clock)
    quick = Simulated(fixed=Duration.parse("1ms"), per_event=Duration.parse("10us"))
    variants = (
        ModelVariant("full", executor=quick),
        ModelVariant("small", quality=0.9, executor=quick),
    )
    config = pipeline(
        slo=OBJECTIVES,
        alerts=Alerts(every=Duration.parse("100ms"), webhook="http://127.0.0.1:1/"),
        model=Model(variants=variants),
        rollout=Rollout(canary=Canary(executor=quick)),
        deadline=within("60s"),
        telemetry=Telemetry(metrics=Metrics(listen=f"127.0.0.1:{port}")),
    )
    source = MemorySource(broker, ["ticks"], group="p")
    ready = asyncio.Event()
    parts = config.parts(source=source, sink=MemorySink(broker), clock=clock)
    service = Service(config, parts, on_ready=lambda _: ready.set())
    running = asyncio.create_task(service.run())
    await ready.wait()
    for _ in range(300):  # of them a hundred tell how far a clock is ahead
        broker.produce("ticks", {"x": 1.0}, timestamp_ns=clock.now_ns() + 900 * NS_PER_MS)
    async with asyncio.timeout(60):
        while len(broker.records("decisions")) < 300 or not service.objectives():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    url = f"http://127.0.0.1:{port}"
    page, status = [
        (await asyncio.to_thread(urllib3.request, "GET", f"{url}{path}")).data.decode()
        for path in ("/metrics", "/api/status")
    ]
    told = await asyncio.to_thread(fetch, config.telemetry.metrics, None)
    assert [one["name"] for one in told] == ["a", "b", "c"]
    show_status(result_console(as_json=True), told)
    service.stop()
    await running
    return page, json.loads(status)


async def test_what_is_named_is_exposed() -> None:
    page, status = await page_of_a_run()
    exposed = set(_METRIC.findall(page))
    texts = {**files(), "rules": json.dumps(rules_of("p", OBJECTIVES))}
    named = {name: set(_METRIC.findall(text)) for name, text in texts.items()}
    missing = {name: metrics - exposed for name, metrics in named.items() if metrics - exposed}
    assert missing == {}
    assert len(set().union(*named.values())) > 20
    assert re.search(r'streamproc_e2e_latency_seconds_bucket\{[^}]*le="0\.045"', page)
    assert re.search(r'streamproc_stage_latency_seconds_bucket\{stage="broker",le="3(\.0)?"', page)
    assert [one["name"] for one in status["slo"]] == ["a", "b", "c"]  # type: ignore[attr-defined]

"""Real Prometheus and Alertmanager: an overload makes the page fire and reach a webhook, recovery resolves it.

``make test ARGS="-m slow tests/integration/test_slo_prometheus.py"``; the windows are those of a period of one day.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamproc.cli.slo_rules import write
from streamproc.core import Duration, SystemClock
from streamproc.executors import Model, Simulated
from streamproc.runtime import Service
from streamproc.slo import Objective, fingerprint
from streamproc.telemetry import Metrics, Telemetry
from streamproc.testing import MemoryBroker, MemorySink, MemorySource
from tests.engine.pipelines import pipeline, within
from tests.support.processes import Background, free_port
from tests.support.prometheus import program, promtool
from tests.support.webhook import Hook, hook

pytestmark = pytest.mark.slow

PROMISE = Objective("on-time", 99.0, good="on_time", period=Duration.parse("1d"))
WITHIN_S = 120.0


@pytest.fixture
def taken() -> Iterator[Hook]:
    with hook() as server:
        yield server


@contextlib.contextmanager
def monitoring(folder: Path, metrics: int, webhook: str) -> Iterator[int]:
    """Prometheus with the generated rules, and Alertmanager; gives Prometheus' port."""
    prometheus, manager = free_port(), free_port()
    written = write(folder, "p", [PROMISE], "", {})
    promtool("check", "rules", written[0].rules.name, cwd=folder)
    pages: dict[str, Any] = {
        "prometheus.yml": {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [written[0].rules.name],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager}"]}]}]
            },
            "scrape_configs": [
                {
                    "job_name": "streamproc",
                    "static_configs": [{"targets": [f"127.0.0.1:{metrics}"]}],
                }
            ],
        },
        "alertmanager.yml": {
            "route": {
                "receiver": "hook",
                "group_by": ["alertname", "window"],
                "group_wait": "1s",
                "group_interval": "1s",
            },
            "receivers": [
                {"name": "hook", "webhook_configs": [{"url": webhook, "send_resolved": True}]}
            ],
        },
    }
    for name, page in pages.items():
        (folder / name).write_text(yaml.safe_dump(page), encoding="utf-8")
    commands = [
        [
            program("alertmanager"),
            f"--config.file={folder}/alertmanager.yml",
            f"--storage.path={folder}/alerts",
            f"--web.listen-address=127.0.0.1:{manager}",
            "--cluster.listen-address=",
        ],
        [
            program("prometheus"),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/series",
            f"--web.listen-address=127.0.0.1:{prometheus}",
            "--rules.alert.resend-delay=1s",
        ],
    ]
    running = [Background(command, log=folder / "log.txt") for command in commands]
    try:
        yield prometheus
    finally:
        for one in running:
            one.stop()


async def test_an_overload_pages_and_recovery_resolves(tmp_path: Path, taken: Hook) -> None:
    program("prometheus"), program("alertmanager")
    clock, port = SystemClock(), free_port()
    broker = MemoryBroker({"ticks": 1, "decisions": 1, "p.dlq": 1}, clock=clock)
    config = pipeline(
        slo=(PROMISE,),
        deadline=within("2s"),
        # 200 events a second, whatever the batch.
        model=Model(
            executor=Simulated(fixed=Duration.parse("1ms"), per_event=Duration.parse("5ms"))
        ),
        telemetry=Telemetry(metrics=Metrics(listen=f"127.0.0.1:{port}")),
    )
    source = MemorySource(broker, ["ticks"], group="p")
    service = Service(config, config.parts(source=source, sink=MemorySink(broker), clock=clock))
    running = asyncio.create_task(service.run())
    rate_s = 20

    async def traffic() -> None:
        while True:
            for _ in range(rate_s // 10):
                broker.produce("ticks", {"x": 1.0})
            await asyncio.sleep(0.1)

    producing = asyncio.create_task(traffic())

    async def until(what: Any) -> float:
        began = time.monotonic()
        async with asyncio.timeout(WITHIN_S):
            while not what():  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return time.monotonic() - began

    def pages(status: str) -> list[dict[str, Any]]:
        return [a for a in taken.alerts(status) if a["labels"]["window"] == "2m"]

    with monitoring(tmp_path, port, taken.url):
        await asyncio.sleep(15)  # some healthy history
        assert taken.messages == []
        rate_s = 2_000
        fired_s = await until(lambda: pages("firing"))
        rate_s = 20
        resolved_s = await until(lambda: pages("resolved"))
    producing.cancel()
    service.stop()
    await running
    print(f"fired after {fired_s:.0f} s, resolved {resolved_s:.0f} s after the overload")
    page = pages("firing")[0]
    assert page["labels"] == {
        "alertname": "StreamprocBudgetBurn",
        "pipeline": "p",
        "slo": "on-time",
        "severity": "page",
        "window": "2m",
    }
    assert page["fingerprint"] == fingerprint(page["labels"]), json.dumps(page)

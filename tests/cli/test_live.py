"""demo and run as whole programs, on the embedded broker."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from streamproc.connectors.kafka import EmbeddedBroker
from tests.cli.support import MARKET, SENSOR, environment, streamproc
from tests.support.processes import free_port, wait_until

pytest.importorskip("confluent_kafka")


def adds_up(summary: dict[str, Any]) -> None:
    assert sum(summary["outcomes"].values()) == summary["consumed"]
    assert summary["consumed"] == summary["generator"]["sent"] - summary["generator"]["failed"]
    verified = summary["verified"]
    assert verified["ok"], verified
    assert verified["decided_after_deadline"] == 0
    assert verified["distinct"] == verified["decided"]


def test_the_demo_keeps_its_promises(tmp_path: Path) -> None:
    answer = streamproc("demo", "--duration", "3s", "--json", cwd=tmp_path)
    assert answer.code == 0, answer.err
    summary = answer.json
    adds_up(summary)
    assert summary["consumed"] == 683
    # How many of them are in time is for the machine's load to say, not for a test.
    outcomes = summary["outcomes"]
    assert outcomes["on_time"] > 0
    assert outcomes["on_time"] + outcomes["late"] + outcomes["shed"] == 683
    assert summary["budget_ms"] == 50
    assert summary["simulated"] is None
    assert set(summary["latency_ms"]) == {"p50", "p90", "p99", "p999", "max"}
    decided = outcomes["on_time"] + outcomes["late"]
    assert f"seen from outside: {decided:,} different decisions for {decided:,}" in answer.err
    (report,) = tmp_path.iterdir()  # it leaves the report, and nothing else
    assert summary["report"] == report.name == "streamproc-demo.html"
    page = report.read_text(encoding="utf-8")
    assert "Verified from outside: " in page
    assert "of 683 events" in page or "All 683 events" in page
    assert "Latency over time" in page


def test_the_sensor_demo_keeps_its_promises(tmp_path: Path) -> None:
    words = ("--template", "sensor", "--duration", "3s")
    answer = streamproc("demo", *words, "--json", "--no-report", cwd=tmp_path)
    assert answer.code == 0, answer.err
    summary = answer.json
    adds_up(summary)
    assert summary["pipeline"] == "activity"
    assert summary["consumed"] == 126
    # How many of them are in time is for the machine's load to say, not for a test.
    assert summary["outcomes"]["on_time"] > 0
    assert sum(summary["outcomes"][word] for word in ("on_time", "late", "shed")) == 126
    assert "streamproc init my-project --template sensor" in answer.err


def test_an_overloaded_demo_sheds_and_says_why(tmp_path: Path) -> None:
    words = ("--duration", "2s", "--rate", "500", "--overload", "4")
    answer = streamproc("demo", *words, "--json", "--no-report", cwd=tmp_path)
    assert answer.code == 0, answer.err
    summary = answer.json
    adds_up(summary)
    assert "report" not in summary
    assert list(tmp_path.iterdir()) == []
    assert summary["outcomes"]["shed"] > summary["consumed"] / 2
    assert set(summary["reasons"]) <= {"expired", "planner"}
    assert sum(summary["reasons"].values()) == summary["outcomes"]["shed"]
    assert summary["outcomes"]["on_time"] > 0
    assert summary["simulated"]["overload"] == 4
    assert "simulated: a device that takes 5ms for a batch and" in answer.err


def test_an_interrupted_demo_still_gives_its_summary(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_port()}"
    process = start("demo", "--duration", "60s", "--listen", listen, "--json", cwd=tmp_path)
    wait_until("its first decisions", lambda: decided(listen) > 0, timeout_s=60)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    summary = json.loads(out)
    adds_up(summary)
    assert summary["duration_s"] < 50
    assert "Traceback" not in err


def decided(listen: str) -> float:
    """How many events have their outcome, by the metrics."""
    with urlopen(f"http://{listen}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(x.split()[-1]) for x in lines if x.startswith("streamproc_outcomes_total{"))


def test_a_taken_port_is_one_line(tmp_path: Path, broker: str) -> None:
    answer = streamproc("demo", "--duration", "1s", "--listen", broker, "--json", cwd=tmp_path)
    assert answer.code == 2
    assert f"{broker} is in use" in answer.json["error"]
    assert "Traceback" not in answer.err


@pytest.fixture
def broker() -> Iterator[str]:
    with EmbeddedBroker() as embedded:
        asyncio.run(name_topics(embedded.servers))
        yield embedded.servers


async def name_topics(servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.describe_topics(["ticks", "decisions", "direction.dlq", "windows"])
    await admin.close()


async def produce(servers: str, count: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers)
    await producer.start()
    value = json.dumps({"symbol": "X", "kind": "book", "f": [0.1] * 24}).encode()
    for _ in range(count):
        await producer.send_and_wait("ticks", value, key=b"X")
    await producer.stop()


def test_the_sensor_projects_sender_sends_what_its_pipeline_reads(broker: str) -> None:
    sender = str(SENSOR.parent / "send_windows.py")
    subprocess.run([sys.executable, sender, broker, "2"], env=environment(), check=True)
    records = asyncio.run(consume(broker, "windows", 2))
    assert [record.key for record in records] == [b"watch-1"] * 2
    first, second = (np.frombuffer(record.value, "<f4").reshape(100, 6) for record in records)
    assert np.array_equal(first[50:], second[:50])  # a second apart, they share a second
    assert abs(records[1].timestamp - records[0].timestamp - 1000) < 500


async def consume(servers: str, topic: str, count: int) -> list[Any]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(20):
        return [await consumer.getone() for _ in range(count)]


def start(*words: str, cwd: Path, path: Path | None = None) -> "subprocess.Popen[str]":
    env = environment()
    if path is not None:
        env["PYTHONPATH"] += f":{path}"
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "streamproc", *words],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run_words(servers: str) -> list[str]:
    settings = {
        "source.kafka.bootstrap_servers": servers,
        "source.kafka.fetch_max_wait": "1ms",
        "source.kafka.auto_offset_reset": "earliest",
        "telemetry.metrics.listen": "127.0.0.1:0",
        "shed": "[]",
    }
    sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    return ["run", str(MARKET), *sets, "--json"]


def test_run_ends_after_so_many_or_when_idle(tmp_path: Path, broker: str) -> None:
    asyncio.run(produce(broker, 10))
    first = streamproc(*run_words(broker), "--stop-after", "4", cwd=tmp_path)
    assert first.code == 0, first.err
    assert first.json["consumed"] == 4
    assert "direction: ticks -> decisions; endpoints on http://127.0.0.1:" in first.err
    idle = ("--stop-when-idle", "1s", "--report", "second.html")
    second = streamproc(*run_words(broker), *idle, cwd=tmp_path)
    assert second.code == 0, second.err
    assert second.json["consumed"] == 6  # it goes on where the first one ended
    assert sum(second.json["outcomes"].values()) == 6
    assert second.json["report"] == "second.html"
    assert "6 events" in (tmp_path / "second.html").read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["second.html"]


def test_sigterm_drains_and_gives_the_summary(tmp_path: Path, broker: str) -> None:
    process = start(*run_words(broker), cwd=tmp_path)
    assert process.stderr is not None
    assert "direction: ticks -> decisions" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert json.loads(out)["pipeline"] == "direction"
    assert "SIGTERM: finishing what was taken in" in err
    assert "Traceback" not in err


SLOW = """\
import time
from pathlib import Path

import numpy as np


def predict(inputs):
    Path("under_way").touch()
    time.sleep(20)
    return {"probabilities": np.ones((len(inputs["input"]), 3))}
"""


def test_a_second_signal_is_the_end(tmp_path: Path, broker: str) -> None:
    asyncio.run(produce(broker, 20))
    (tmp_path / "slowly.py").write_text(SLOW)
    model = "model={executor: {python: {callable: 'slowly:predict'}}}"
    process = start(*run_words(broker), "--set", model, cwd=tmp_path, path=tmp_path)
    assert process.stderr is not None
    process.stderr.readline()
    wait_until("the model is under way", (tmp_path / "under_way").exists, timeout_s=60)
    process.send_signal(signal.SIGTERM)
    assert "SIGTERM: finishing" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    wait_until("the process ends", lambda: process.poll() is not None, timeout_s=5)
    assert process.returncode == 143
    process.communicate()

"""The programs that are compared: how each is started, and how its decisions are read."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from tests.benchmarks.workloads import FIRST_TS, KEYS, Workload

_PEERS = Path(__file__).resolve().parent / "peers"


@dataclass(frozen=True)
class Task:
    """One run: everything a program is told.

    ``rate`` asks for the settings that answer soonest at so many events a second, where a program's usual ones do not.
    """

    workload: Workload
    events: int
    bootstrap: str
    source: str
    sink: str
    group: str
    model: Path
    folder: Path
    rate: int | None = None


@dataclass(frozen=True)
class Answer:
    """A decision, reduced to what is checked.

    Attributes:
        identity: unlike that of any other event's decision.
        kind: which of the ``KEYS`` vectors the event had.
        label: the class that the program says it is.
        outcome: streamproc's word for it; empty for a loop, which has none.
    """

    identity: object
    kind: int
    label: int
    outcome: str = ""


@dataclass(frozen=True)
class Program:
    """A program that is measured.

    Attributes:
        command: its command line.
        answer: reads one of its decisions: the workload, the record's key and value.
        events_share: how many of the events it is given: less for a slow one, so that a round stays short.
        by_default: whether it runs where none is named.
        sums_up: whether it prints the summary of ``streamproc run --json``.
    """

    command: Callable[[Task], list[str]]
    answer: Callable[[Workload, bytes | None, bytes], Answer]
    events_share: float = 1.0
    by_default: bool = True
    sums_up: bool = False


REQUESTS_EACH_MAX = 1_000
"""Events a second up to which a request an event answers soonest; librdkafka chokes on 5,000 of them (p50 1 s)."""


def _linger_ms(file: str, rate: int) -> int:
    """What lets a loop answer soonest; aiokafka gathers by itself while a request is under way."""
    return int("confluent" in file and rate > REQUESTS_EACH_MAX)


def _loop(file: str, *more: str) -> Callable[[Task], list[str]]:
    def command(task: Task) -> list[str]:
        given = {
            "--bootstrap": task.bootstrap,
            "--source": task.source,
            "--sink": task.sink,
            "--model": str(task.model),
            "--group": task.group,
            "--stop-after": str(task.events),
        }
        if task.rate is not None:
            given["--linger-ms"] = str(_linger_ms(file, task.rate))
        return [sys.executable, str(_PEERS / file), *sum(given.items(), ()), *more]

    return command


def _loop_answer(workload: Workload, key: bytes | None, value: bytes) -> Answer:
    decision = orjson.loads(value)
    number = decision["ts"] - FIRST_TS
    label = decision.get("label")
    if label is None:
        scores = decision["scores"]
        label = scores.index(max(scores))
    return Answer(number, number % KEYS, label)


def streamproc_config(task: Task) -> dict[str, Any]:
    """The pipeline, as its YAML file says it; everything unsaid has its default.

    The events wait in the topic for as long as the benchmark takes: a day's budget keeps deadlines in
    the books and their expiry out of the measurement.
    """
    inputs = task.workload.layers[0]
    config: dict[str, Any] = {
        "name": "bench",
        "source": {
            "kafka": {
                "bootstrap_servers": task.bootstrap,
                "topics": [task.source],
                "group_id": task.group,
                "auto_offset_reset": "earliest",
            }
        },
        "codec": {"json": {"fields": {"ts": "int64", "features": f"float32[{inputs}]"}}},
        "features": ["features"],
        "deadline": {"budget": "1d"},
        "batching": {"max_size": 1024},
        "model": {"path": str(task.model)},
        "output": {"labels": list(task.workload.labels), "scores": True},
        "sink": {"kafka": {"topic": task.sink}},
        "outcomes": {"dead_letter_topic": None},
        "telemetry": {"metrics": {"listen": "127.0.0.1:0"}},
    }
    if task.rate is not None:  # its decisions then say when their events were due, as the loops' do
        config["event_time"] = {"field": "ts", "unit": "ns"}
    return config


def run_command(config: Path, records: int, *more: str) -> list[str]:
    """The command line that runs a configuration for so many records."""
    program = Path(sys.executable).parent / "streamproc"
    return [str(program), "run", str(config), "--stop-after", str(records), "--json", *more]


def streamproc_program(settings: Mapping[str, Any], *more: str, by_default: bool = True) -> Program:
    """Streamproc with settings beside or instead of the benchmark's, and more words on its command line."""

    def command(task: Task) -> list[str]:
        config = task.folder / f"{task.sink}.yaml"
        config.write_text(yaml.safe_dump(streamproc_config(task) | dict(settings), sort_keys=False))
        return run_command(config, task.events, *more)

    return Program(command, _streamproc_answer, by_default=by_default, sums_up=True)


def _streamproc_answer(workload: Workload, key: bytes | None, value: bytes) -> Answer:
    decision = orjson.loads(value)
    label = workload.labels.index(decision["output"]["label"])
    return Answer(decision["id"], int(key or b"-1"), label, decision["outcome"])


PROGRAMS = {
    "streamproc": streamproc_program({}),
    "streamproc-exactly-once": streamproc_program({"delivery": "exactly_once"}),
    "plain": Program(_loop("plain_loop.py"), _loop_answer, events_share=0.2),
    "confluent-greedy": Program(_loop("confluent_loop.py", "--take", "greedy"), _loop_answer),
    "confluent-consume": Program(_loop("confluent_loop.py", "--take", "consume"), _loop_answer),
    "streamproc-dead-collector": streamproc_program(
        {
            "telemetry": {
                "metrics": {"listen": "127.0.0.1:0"},
                "traces": {"otlp": "http://127.0.0.1:9", "ratio": 0.01},  # nobody listens there
            }
        },
        by_default=False,
    ),
    "streamproc-2-workers": streamproc_program({}, "--workers", "2", by_default=False),
}

"""Features of what keys did before: members are killed, join and leave, and every decision is what it would have been."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import yaml

from streamproc.codecs import FieldType
from streamproc.core import Columns, Duration, TopicPartition, object_column
from streamproc.features import Feature, FeatureState, Program
from streamproc.features.operators import Cumulative, Difference, Ewm, Rolling
from tests.integration.pipelines import Command, InThread
from tests.support import wait_until
from tests.support.kafka import Message, committed, create_topics, end_offsets, fill, read, stream

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

PARTITIONS = 4
EVENTS = 6_000


@dataclass(frozen=True)
class Kind:
    """How state comes back: what is remembered, and the same said twice."""

    operators: list[Any]
    same: list[Feature]
    state: dict[str, Any]
    ttl: Duration | None
    delivery: str = "at_least_once"


BOUNDED: list[Any] = [
    {"rolling": {"field": "x", "take": ["sum", "std"], "time": "5s", "max_events": 64}},
    {"difference": {"field": "x"}},
    {"rolling": {"field": "x_difference_1", "take": ["mean"], "events": 5}},
    {"ewm": {"field": "x", "half_life": "500ms", "max_events": 32}},
]
SAME_BOUNDED: list[Feature] = [
    Rolling(field="x", take=("sum", "std"), time=Duration.parse("5s"), max_events=64),
    Difference(field="x"),
    Rolling(field="x_difference_1", take=("mean",), events=5),
    Ewm(field="x", half_life=Duration.parse("500ms"), max_events=32),
]
UNBOUNDED: list[Any] = [
    {"cumulative": {"field": "x", "take": ["count", "std"]}},
    {"cumulative": {"field": "x", "take": ["sum"], "half_life": "500ms", "as": "fading"}},
    {"difference": {"field": "x"}},
    {"rolling": {"field": "x_difference_1", "take": ["mean"], "events": 5}},
]
SAME_UNBOUNDED: list[Feature] = [
    Cumulative(field="x", take=("count", "std")),
    Cumulative(field="x", take=("sum",), half_life=Duration.parse("500ms"), as_="fading"),
    Difference(field="x"),
    Rolling(field="x_difference_1", take=("mean",), events=5),
]
TTL = {"ttl": "8s", "grace": "2s"}
CHANGELOG = {"grace": "2s", "changelog": {"interval": "300ms"}}
KINDS = {
    "rewound": Kind(BOUNDED, SAME_BOUNDED, TTL, Duration.parse("8s")),
    "changelog": Kind(UNBOUNDED, SAME_UNBOUNDED, CHANGELOG, None),
    "changelog in transactions": Kind(UNBOUNDED, SAME_UNBOUNDED, CHANGELOG, None, "exactly_once"),
}


def echo(inputs: Columns) -> Columns:
    time.sleep(0.004)  # a model that takes a while, so that much is under way at any moment
    return {"output": inputs["input"]}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_killed_and_moved_decisions_are_those_of_an_undisturbed_run(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, kind: Kind
) -> None:
    source, sink = topic_name, f"{topic_name}-out"
    create_topics(kafka.bootstrap, source, sink, partitions=PARTITIONS)
    rng = np.random.default_rng(3)
    begin_ms = time.time_ns() // 1_000_000 - 120_000
    messages = [
        Message(
            msgspec.json.encode({"x": float(x)}),
            b"key-%d" % key,
            timestamp_ms=begin_ms + 10 * number + int(late_ms),
        )
        for number, (x, key, late_ms) in enumerate(
            zip(
                rng.normal(size=EVENTS),
                rng.integers(0, 40, EVENTS),
                rng.integers(-900, 900, EVENTS),
                strict=True,
            )
        )
    ]
    fill(kafka.bootstrap, source, messages[: EVENTS // 2])
    state = dict(kind.state)
    if "changelog" in state:
        state["changelog"] = {"topic": f"{topic_name}-changelog", **state["changelog"]}
    config = tmp_path / "pipeline.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "name": topic_name,
                "source": {
                    "kafka": {
                        "bootstrap_servers": kafka.bootstrap,
                        "topics": [source],
                        "auto_offset_reset": "earliest",
                        "commit_interval": "50ms",
                        "session_timeout": "6s",
                    }
                },
                "codec": {"json": {"fields": {"x": "float64"}}},
                "features": kind.operators,
                "state": state,
                "delivery": kind.delivery,
                "deadline": {"budget": "10m"},
                "model": {"executor": {"python": {"callable": f"{__name__}:echo"}}},
                "batching": {"max_size": 8},
                "sink": {"kafka": {"topic": sink}},
                "telemetry": {"metrics": {"listen": None}},
            }
        )
    )

    def done() -> int:
        return sum(committed(kafka.bootstrap, topic_name, source).values())

    first = Command(config)
    try:
        wait_until("the first is at work", lambda: done() > EVENTS // 5, timeout_s=120)
    finally:
        first.kill()
    with InThread(config) as second:
        second.until("it took over", lambda: done() > EVENTS // 3, timeout_s=120)
        with InThread(config) as third:
            third.until("its partitions", lambda: len(owned(third)) == PARTITIONS // 2, 60)
            second.until("no others", lambda: len(owned(second)) == PARTITIONS // 2, 60)
            fill(kafka.bootstrap, source, messages[EVENTS // 2 :])  # for both of them
            third.until("it works", lambda: third.consumed > 50, timeout_s=120)
            third.stop()
        ends = end_offsets(kafka.bootstrap, source)
        second.until("the end", lambda: committed(kafka.bootstrap, topic_name, source) == ends, 120)
        assert second.service is not None
        assert second.service.readiness()["features"]
        summary = second.stop()
    assert summary["restored"] > 0, summary
    wanted = undisturbed(kafka.bootstrap, source, kind)
    made = [msgspec.json.decode(record.value or b"") for record in read(kafka.bootstrap, sink)]
    assert {decision["id"] for decision in made} == wanted.keys()
    if kind.delivery == "exactly_once":
        assert len(made) == len(wanted)
    for decision in made:
        assert decision["output"] == wanted[decision["id"]], decision["id"]


def owned(pipeline: InThread) -> Collection[TopicPartition]:
    """The partitions that a member has and has restored."""
    if pipeline.service is None or not pipeline.service.readiness()["features"]:
        return ()
    return pipeline.service.gauges().lag_records


def undisturbed(bootstrap: str, topic: str, kind: Kind) -> dict[str, list[float]]:
    """The features of every record, partition by partition, all of one in one batch."""
    by_partition: dict[int, list[Any]] = {}
    for message in stream(bootstrap, topic):
        by_partition.setdefault(message.partition(), []).append(message)
    state = FeatureState(ttl=kind.ttl, grace=Duration.parse("2s"))
    found: dict[str, list[float]] = {}
    for number, messages in by_partition.items():
        program = Program(kind.same, fields={"x": FieldType("float64")}, state=state)
        values = [msgspec.json.decode(m.value())["x"] for m in messages]
        columns = program.advance(
            {"x": np.array(values)},
            key=object_column([m.key() for m in messages]),
            time_ns=np.array([m.timestamp()[1] * 1_000_000 for m in messages]),
            partition=number,
        ).columns
        rows = np.stack([columns[name] for name in program.made], axis=1)
        found |= {
            f"{topic}/{number}/{m.offset()}": row
            for m, row in zip(messages, rows.tolist(), strict=True)
        }
    return found

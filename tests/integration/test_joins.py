"""Two topics of a real Kafka joined: killed in the middle, read from a backlog, and replayed, it is the join of all that happened."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
import yaml

from streamproc.core import Columns, ConfigError
from tests.integration.pipelines import Command, InThread
from tests.support import wait_until
from tests.support.kafka import Message, committed, create_topics, end_offsets, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

PARTITIONS = 2
QUOTES, TRADES = 6_000, 1_500
"""Many more of one than of the other, so that one of them is ahead in the log."""
SLACK_MS = 300
WITHIN_MS, BEFORE_MS, AFTER_MS = 2_000, 400, 250


def echo(inputs: Columns) -> Columns:
    time.sleep(0.002)  # a model that takes a while, so that much is under way at any moment
    return {"output": inputs["input"]}


def config_of(kafka: KafkaBroker, name: str, **more: Any) -> dict[str, Any]:
    quotes, trades = f"{name}-quotes", f"{name}-trades"
    when = f"topic == '{quotes}'"
    return {
        "name": name,
        "source": {
            "kafka": {
                "bootstrap_servers": kafka.bootstrap,
                "topics": [quotes, trades],
                "auto_offset_reset": "earliest",
                "commit_interval": "50ms",
                "session_timeout": "6s",
            }
        },
        "codec": {
            "by_topic": {
                "codecs": {
                    quotes: {"json": {"fields": {"at": "int64", "bid": "float64"}}},
                    trades: {"json": {"fields": {"at": "int64", "size": "float64"}}},
                }
            }
        },
        "event_time": {"field": "at", "unit": "ms"},
        "reorder": {"slack": f"{SLACK_MS}ms", "max_events": 4096},
        "absorb": when,
        "features": [
            {"as_of": {"when": when, "fields": ["bid"], "within": f"{WITHIN_MS}ms", "fill": -1}},
            {
                "interval": {
                    "when": when,
                    "fields": ["bid"],
                    "take": ["count", "max"],
                    "before": f"{BEFORE_MS}ms",
                    "after": f"{AFTER_MS}ms",
                    "fill": -1,
                }
            },
        ],
        "state": {"ttl": "5s", "grace": "1s", "skew": "100ms"},
        "deadline": {"budget": "10m"},
        "model": {"executor": {"python": {"callable": f"{__name__}:echo"}}},
        "batching": {"max_size": 8},
        "sink": {"kafka": {"topic": f"{name}-out"}},
        "telemetry": {"metrics": {"listen": None}},
        **more,
    }


def messages(count: int, field: str, seed: int) -> list[Message]:
    """Events of a minute that ended two minutes ago, out of order by less than the slack."""
    rng = np.random.default_rng(seed)
    begin_ms = time.time_ns() // 1_000_000 - 180_000
    made_ms = np.sort(rng.integers(0, 60_000, count))
    happened_ms = made_ms - rng.integers(0, SLACK_MS, count)
    return [
        Message(
            msgspec.json.encode({"at": begin_ms + int(at_ms), field: float(value)}),
            b"key-%d" % key,
            partition=int(key) % PARTITIONS,
            timestamp_ms=begin_ms + int(ms),
        )
        for ms, at_ms, value, key in zip(
            made_ms, happened_ms, rng.normal(size=count), rng.integers(0, 8, count), strict=True
        )
    ]


def offline(quotes: list[Message], trades: list[Message]) -> list[tuple[bytes, list[float]]]:
    """The join of the whole recording, trade by trade; ties are rare, and of equal times the later in the log counts."""
    by_key: dict[bytes, list[tuple[int, float]]] = {}
    for message in quotes:
        event = msgspec.json.decode(message.value or b"")
        by_key.setdefault(message.key or b"", []).append((event["at"], event["bid"]))
    found = []
    for message in trades:
        at_ms = msgspec.json.decode(message.value or b"")["at"]
        known = sorted(by_key.get(message.key or b"", []), key=lambda quote: quote[0])
        before = [bid for t, bid in known if at_ms - WITHIN_MS < t <= at_ms]
        around = [bid for t, bid in known if at_ms - BEFORE_MS <= t <= at_ms + AFTER_MS]
        made = [before[-1] if before else -1.0, float(len(around)), max(around, default=-1.0)]
        found.append((message.value or b"", made))
    return found


def test_killed_in_the_middle_it_is_the_join_of_all_that_happened(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    quotes, trades, out = (f"{topic_name}-{what}" for what in ("quotes", "trades", "out"))
    create_topics(kafka.bootstrap, quotes, trades, out, partitions=PARTITIONS)
    sent = messages(QUOTES, "bid", 1), messages(TRADES, "size", 2)
    fill(kafka.bootstrap, quotes, sent[0])
    fill(kafka.bootstrap, trades, sent[1])
    config = tmp_path / "pipeline.yaml"
    config.write_text(yaml.safe_dump(config_of(kafka, topic_name)))

    def done(topic: str) -> int:
        return sum(committed(kafka.bootstrap, topic_name, topic).values())

    first = Command(config)
    try:
        wait_until("the first is at work", lambda: done(trades) > TRADES // 5, timeout_s=120)
    finally:
        first.kill()
    with InThread(config) as second:
        for topic in (quotes, trades):
            ends = end_offsets(kafka.bootstrap, topic)
            second.until(
                "the end",
                lambda t=topic, e=ends: committed(kafka.bootstrap, topic_name, t) == e,  # type: ignore[misc]
                120,
            )
        summary = second.stop()
    assert summary["restored"] > 0, summary
    assert read(kafka.bootstrap, f"{topic_name}.dlq") == []
    values = {
        f"{trades}/{record.partition}/{record.offset}": record.value
        for record in read(kafka.bootstrap, trades)
    }
    wanted = dict(offline(*sent))
    made = [msgspec.json.decode(record.value or b"") for record in read(kafka.bootstrap, out)]
    assert {decision["id"] for decision in made} == values.keys()
    for decision in made:
        right = np.array(wanted[values[decision["id"]] or b""], np.float32)
        assert np.array(decision["output"], np.float32).tolist() == right.tolist(), decision["id"]


def test_topics_with_different_numbers_of_partitions_are_refused(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    create_topics(kafka.bootstrap, f"{topic_name}-quotes", f"{topic_name}-out", partitions=2)
    create_topics(kafka.bootstrap, f"{topic_name}-trades", partitions=3)
    config = tmp_path / "pipeline.yaml"
    config.write_text(yaml.safe_dump(config_of(kafka, topic_name)))
    running = InThread(config)
    with pytest.raises(ConfigError, match=r"-quotes has 2, .*-trades has 3"), running:
        running.result()


def test_a_compacted_topic_is_read_before_anything_is_decided_and_followed(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    ticks, profiles, out = (f"{topic_name}-{what}" for what in ("ticks", "profiles", "out"))
    create_topics(kafka.bootstrap, ticks, out)
    create_topics(kafka.bootstrap, profiles, partitions=2)

    def profile(key: bytes, weight: float | None) -> Message:
        value = None if weight is None else msgspec.json.encode({"weight": weight, "name": "n"})
        return Message(value, key)

    many = [profile(b"key-%d" % n, float(n)) for n in range(5_000)]
    fill(kafka.bootstrap, profiles, [*many, profile(b"key-2", None), profile(b"key-3", 0.5)])
    fill(kafka.bootstrap, profiles, [Message(b"{", b"key-4"), Message(b"{}", None)])
    tick = msgspec.json.encode({"x": 1.0, "user": "key-%d"}).decode()
    fill(kafka.bootstrap, ticks, [Message((tick % n).encode()) for n in (1, 2, 3, 4, 4_999)])
    config = config_of(kafka, topic_name)
    for key in ("reorder", "absorb", "event_time", "state"):
        del config[key]
    config["source"]["kafka"]["topics"] = [ticks]
    config["codec"] = {"json": {"fields": {"x": "float64", "user": "str"}}}
    lookup = {"field": "user", "topic": profiles, "fields": ["weight"], "fill": -1}
    config["features"] = ["x", {"lookup": lookup}]
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(config))

    def outputs() -> list[float]:
        made = read(kafka.bootstrap, out)
        return [msgspec.json.decode(record.value or b"")["output"][1] for record in made]

    with InThread(file) as running:
        running.until("all are decided", lambda: len(outputs()) == 5, 60)
        assert sorted(outputs()) == [-1, 0.5, 1, 4, 4_999]
        fill(kafka.bootstrap, profiles, [profile(b"key-1", 7.0)])

        def changed() -> bool:
            fill(kafka.bootstrap, ticks, [Message((tick % 1).encode())])
            return 7.0 in outputs()

        running.until("the change is followed", changed, 60)
        running.stop()

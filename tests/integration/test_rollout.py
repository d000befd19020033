"""A bad candidate on a real broker: nothing of a shadow is published, and a canary is taken back by itself."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from streamproc.cli.inspection import Found, inspect_topics
from streamproc.config import load
from streamproc.connectors.kafka import Access, KafkaSink, KafkaSource, TopicWriter
from streamproc.core import ExternalError
from tests.integration.pipelines import (
    TICK,
    InThread,
    Load,
    assert_adds_up,
    decisions,
    ids,
    right_answers,
    set_up,
)
from tests.support.kafka import create_topics, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

NS_PER_S = 1_000_000_000


def bad_model(folder: Path) -> str:
    """The model with its last layer turned round: it takes and gives the same, and means the opposite."""
    model = onnx.load(folder / "tick.onnx")
    for weights in model.graph.initializer[-2:]:
        turned = -numpy_helper.to_array(weights)
        weights.CopyFrom(numpy_helper.from_array(turned.astype(np.float32), weights.name))
    onnx.save(model, folder / "bad.onnx")
    return "bad.onnx"


def test_a_bad_canary_is_taken_back_by_itself(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    TICK.write_model(tmp_path / "tick.onnx")
    canary = {
        "path": bad_model(tmp_path),
        "share": 0.3,
        "rollback": {"min_events": 100, "disagreement": 0.1},
    }
    made = set_up(kafka, topic_name, tmp_path, rollout={"canary": canary})
    with InThread(made.config) as pipeline:
        pipeline.ready()
        with Load(kafka.bootstrap, made.source, rate=300, events=100_000) as load:
            service: Any = pipeline.service
            pipeline.until(
                "the canary is taken back", lambda: service.accounts().rollout.rollbacks, 60
            )
            taken_back_at = service.accounts().consumed
            pipeline.until("more events", lambda: pipeline.consumed > taken_back_at + 500, 60)
            sent = load.stop()
        pipeline.until("all events", lambda: pipeline.consumed >= sent, 60)
        books = service.accounts().rollout
        summary = pipeline.stop()
    assert_adds_up(summary)
    assert summary["consumed"] == sent
    assert books.rollbacks == {("canary", "disagreement"): 1}
    assert "decisions are other ones" in books.view()["rolled_back"]["canary"]
    out = [d for _, d in decisions(kafka.bootstrap, made.sink)]
    assert sorted(d.id for d in out) == sorted(ids(kafka.bootstrap, made.source))
    by_canary = sorted(d.decided_ns for d in out if d.model["variant"] == "canary")
    # How soon exactly is a matter of virtual time (tests/engine/test_rollout.py); here other work may be in the way.
    assert by_canary[-1] - by_canary[0] < 30 * NS_PER_S
    last = {d.id: d.model["variant"] for d in out if d.decided_ns > by_canary[-1]}
    assert len(last) > 400
    assert set(last.values()) == {"full"}
    assert sum(n for (arm, _), n in books.outcomes.items() if arm == "canary") >= len(by_canary)


def test_nothing_that_a_bad_shadow_decides_is_published(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    TICK.write_model(tmp_path / "tick.onnx")
    topic = f"{topic_name}-shadow"
    create_topics(kafka.bootstrap, topic)
    shadow = {"path": bad_model(tmp_path), "share": 0.5, "topic": topic, "file": "shadow.jsonl"}
    made = set_up(kafka, topic_name, tmp_path, rollout={"shadow": shadow})
    with InThread(made.config) as pipeline:
        pipeline.ready()
        service: Any = pipeline.service
        for wave in range(5):
            fill(kafka.bootstrap, made.source, TICK.messages(200))
            pipeline.until("a wave", lambda count=200 * (wave + 1): pipeline.consumed >= count, 60)

        def compared() -> bool:
            one = service.accounts().rollout.of("shadow")
            return bool(one.compared and one.compared + one.dropped > 300)

        pipeline.until("comparisons", compared, 60)
        books = service.accounts().rollout.of("shadow")
        summary = pipeline.stop()
    assert_adds_up(summary)
    out = [d for _, d in decisions(kafka.bootstrap, made.sink)]
    assert Counter(d.model["variant"] for d in out) == {"full": 1_000}
    right = right_answers(tmp_path / "tick.onnx")
    wanted = Counter(TICK.labels[right[n % len(right)]] for n in range(200))
    assert Counter(d.output["label"] for d in out) == {label: 5 * n for label, n in wanted.items()}
    told = [json.loads(record.value or b"") for record in read(kafka.bootstrap, topic)]
    lines = (tmp_path / "shadow.jsonl").read_text().splitlines()
    assert sorted(one["id"] for one in told) == sorted(json.loads(line)["id"] for line in lines)
    assert len(told) == books.compared
    published = {d.id: d.output for d in out}
    by_key = defaultdict(set)
    for one in told:
        assert one["published"] == published[one["id"]]
        assert one["differs"] == (one["decided"]["label"] != one["published"]["label"])
        by_key[one["key"]].add(one["shadow"])
    assert sum(one["differs"] for one in told) == books.differed > 0.5 * len(told)


async def test_a_topic_of_shadows_that_is_not_there_is_named_once_and_not_waited_for(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Aiokafka's producer would ask for it ten times a second, and log each answer as an error."""
    TICK.write_model(tmp_path / "tick.onnx")
    topic = f"{topic_name}-shadow"
    shadow = {"path": bad_model(tmp_path), "isolation": False, "topic": topic}
    made = set_up(kafka, topic_name, tmp_path, rollout={"shadow": shadow})
    found = Found()
    await inspect_topics(load(str(made.config)), found)
    assert [(p.key, p.message) for p in found.problems] == [
        ("rollout.shadow.topic", f"topic {topic} does not exist: make it, or name another")
    ]
    sink = KafkaSink(bootstrap_servers=kafka.bootstrap, topic=made.sink)
    writer = TopicWriter(Access.of_sink(sink, KafkaSource(topics=(made.source,))), topic, sink)
    with pytest.raises(ExternalError, match=f"{topic} takes nothing: topic {topic} does not exist"):
        await writer.write([(b"k", b"v")])
    assert "aiokafka" not in caplog.text
    await asyncio.to_thread(create_topics, kafka.bootstrap, topic)
    await writer.write([(b"k", b"v")])
    await writer.stop()
    assert [record.value for record in read(kafka.bootstrap, topic)] == [b"v"]

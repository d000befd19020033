"""Features of joined topics: those of a live run are those of its recording, played again and one record at a time."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from streamproc.core import NS_PER_MS, RecordBatch, TopicPartition
from streamproc.replay.training.features import FeatureRows, features_of, one_by_one
from streamproc.testing import PipelineTest
from tests.engine.test_joins import SLACK_MS, Sent, joined, send


class Recorder:
    """Keeps the batches that an engine is given, as a recording does."""

    def __init__(self, test: PipelineTest) -> None:
        self.batches: list[RecordBatch] = []
        engine: Any = test._engine
        ingest = engine.ingest

        def kept(batch: RecordBatch) -> None:
            self.batches.append(batch)
            ingest(batch)

        engine.ingest = kept


def features(config: Any, batches: Iterable[RecordBatch]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}

    def take(rows: FeatureRows) -> None:
        made = rows.events.inputs["input"].astype(np.float32).tolist()  # as decisions tell them
        found.update(zip(rows.ids(), made, strict=True))

    given = list(batches)
    features_of(config, lambda: iter(given), take)
    return found


def test_live_replayed_and_exported_features_of_joined_topics_are_the_same() -> None:
    rng = np.random.default_rng(4)
    test = joined()
    recorder = Recorder(test)
    begin_ns = test.now_ns
    for number in range(150):
        topic = ("quotes", "trades")[int(rng.integers(2))]
        late_ms = int(rng.integers(0, SLACK_MS))
        sent = Sent(topic, 50 * number - late_ms + 1_000, float(rng.normal()), "abc"[number % 3])
        send(test, sent, at_ns=begin_ns + 50 * number * NS_PER_MS)
    decisions = test.run().decisions
    live = {d.id: np.array(d.output, np.float32).tolist() for d in decisions}
    assert {batch.source for batch in recorder.batches} == {
        TopicPartition("quotes", 0),
        TopicPartition("trades", 0),
    }
    assert len(live) > 50
    assert features(test._config, recorder.batches) == live
    assert features(test._config, one_by_one(recorder.batches)) == live

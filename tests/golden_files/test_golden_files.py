"""What older versions wrote is read, and means the same: an upgrade needs no conversion, and a recording is kept."""

from __future__ import annotations

import json
import shutil
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamproc.config import load
from streamproc.connectors.capture import CaptureReader
from streamproc.connectors.kafka.group_requests import StoredOffset
from streamproc.connectors.kafka.progress_text import from_stored
from streamproc.core import TopicPartition
from streamproc.executors import MANIFEST_NAME, look_at
from streamproc.executors.models import Rules
from streamproc.scheduling import LatencyModel
from streamproc.testing import Decision, Letter, StoredRecord
from streamproc.testing.audit import Auditor
from tests.cli.support import streamproc

FOLDERS = sorted(path.parent for path in Path(__file__).parent.glob("*/topics.jsonl"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
def old(request: pytest.FixtureRequest) -> Path:
    folder: Path = request.param
    return folder


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)


def topics(folder: Path) -> dict[str, list[StoredRecord]]:
    found: dict[str, list[StoredRecord]] = {}
    for line in (folder / "topics.jsonl").read_text().splitlines():
        told: dict[str, Any] = json.loads(line)
        told |= {name: _bytes(told[name]) for name in ("key", "value")}
        told["headers"] = tuple((name, _bytes(value)) for name, value in told["headers"])
        found.setdefault(told["topic"], []).append(StoredRecord(**told))
    return found


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def test_there_are_some() -> None:
    assert FOLDERS


def test_decisions_letters_and_ledger_add_up(old: Path) -> None:
    found, outcomes = topics(old), summary(old)["outcomes"]
    auditor = Auditor("exactly_once")
    for record in found["ticks"]:
        auditor.add_input(record)
    for record in found["decisions"]:
        auditor.add_decision(record)
    for record in found["prices.dlq"] + found["prices.shed"]:
        auditor.add_letter(record)
    for record in found["prices.ledger"]:
        auditor.add_ledger(record)
    ends = Counter(TopicPartition(r.topic, r.partition) for r in found["ticks"])
    auditor.report(ends).require_complete()
    decisions = [d for record in found["decisions"] for d in Decision.all_of(record)]
    assert len(decisions) == outcomes["on_time"] > 0
    assert all(d.output == [2 * price] for d, price in _prices(found, decisions))
    letters = [Letter.of(record) for record in found["prices.dlq"] + found["prices.shed"]]
    assert Counter(letter.reason for letter in letters) == summary(old)["reasons"]


def _prices(
    found: dict[str, list[StoredRecord]], decisions: list[Decision]
) -> list[tuple[Decision, float]]:
    inputs = {record.id: record for record in found["ticks"]}
    return [(decision, inputs[decision.id].json()["price"]) for decision in decisions]


def test_stored_progress(old: Path) -> None:
    told = json.loads((old / "progress.json").read_text())
    assert any(one["beyond"] for one in told)
    for one in told:
        progress = from_stored(StoredOffset(one["offset"], one["metadata"]))
        assert progress.position == one["offset"]
        np.testing.assert_array_equal(progress.beyond, one["beyond"])


def test_a_model_and_its_manifest(old: Path) -> None:
    files = look_at(str(old / "model.onnx"), Rules(manifest=str(old / MANIFEST_NAME)))
    made_by = {record.json()["model"]["digest"] for record in topics(old)["decisions"]}
    assert made_by == {files.digest}


def test_a_saved_latency_model(old: Path) -> None:
    text = (old / "latency.json").read_text()
    told = json.loads(text)
    model = LatencyModel.from_json(text)
    assert json.loads(model.to_json()) == told
    assert model.predict_ns(told["size"][0]) > 0


def test_the_configuration(old: Path) -> None:
    assert load(old / "pipeline.yaml", environ={}).config.name == "prices"


def test_a_recording_holds_what_was_in_the_topics(old: Path) -> None:
    found, capture = topics(old), CaptureReader(old / "recording.mcap")
    assert capture.summary.truncated is None
    recorded = [
        (*batch.source, *row)
        for batch in capture.records()
        for row in zip(batch.offset.tolist(), batch.key, batch.value, strict=True)
    ]
    assert sorted(recorded, key=lambda r: r[1:3]) == sorted(
        ((r.topic, r.partition, r.offset, r.key, r.value) for r in found["ticks"]),
        key=lambda r: r[1:3],
    )
    sent = [r for topic, records in found.items() for r in records if topic in _OUTPUTS]
    assert Counter((d.topic, d.value) for d in capture.decisions()) == Counter(
        (r.topic, r.value) for r in sent
    )
    ended = np.concatenate([columns.outcome for columns in capture.outcomes()])
    assert len(ended) == summary(old)["consumed"]
    assert len(list(capture.schedule())) > 0


_OUTPUTS = {"decisions", "prices.dlq", "prices.shed"}


def test_a_recording_is_replayed_to_the_same_decisions(old: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(old, tmp_path / "old"))
    done = streamproc(
        "replay", "recording.mcap", "pipeline.yaml", "--out", "again.mcap", cwd=folder
    )
    assert done.code == 0, done.err
    differ = streamproc("diff", "recording.mcap", "again.mcap", cwd=folder)
    assert differ.code == 0, differ.out + differ.err

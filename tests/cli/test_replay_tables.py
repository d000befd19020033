"""Lookups into topics at the commands: on each clock what was found is found again, and a recording that does not tell of it is said."""

import json
from pathlib import Path
from typing import Any

import pytest

from streamproc.cli import main
from streamproc.connectors.capture import CaptureMetadata, CaptureWriter
from tests.replay.playback.recordings import MS, START_NS, batch
from tests.support.tables import all_of, rows_of

CONFIG = """
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float32, user: str}}}
deadline: {budget: 10m}
features: [x, {lookup: {field: user, topic: profiles, fields: [weight], missing: dead_letter}}]
model: {executor: {simulated: {fixed: 2ms, per_event: 500us}}}
sink: {kafka: {topic: decisions}}
"""

pytestmark = pytest.mark.usefixtures("untouched")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    for name, told in (("day.mcap", True), ("old.mcap", False)):
        with CaptureWriter(name, CaptureMetadata(pipeline="p"), durable=False) as writer:
            if told:
                writer.table(all_of({"ann": 1.0, "bob": 2.0}, START_NS - 1, end=2))
            for n in range(50):
                if told and n == 20:
                    writer.table(rows_of({"bob": None}, START_NS + 20 * MS - 1, end=3))
                values = [b'{"x": 1, "user": "ann"}', b'{"x": 1, "user": "bob"}']
                writer.records(batch([2 * n, 2 * n + 1], n, values=values))
    return tmp_path


def outcomes(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, int]:
    assert main(["replay", *words, "pipeline.yaml", "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return {name: count for name, count in found["outcomes"].items() if count}


@pytest.mark.parametrize(
    "words", [(), ("--clock", "wall"), ("--clock", "wall", "--speed", "max"), ("--start", "25ms")]
)
def test_what_was_found_is_found_again(
    capsys: pytest.CaptureFixture[str], folder: Path, words: tuple[str, ...]
) -> None:
    wanted = {"on_time": 25, "dead_letter": 25} if words[:1] == ("--start",) else {"on_time": 70, "dead_letter": 30}  # fmt: skip
    assert outcomes(capsys, "day.mcap", *words) == wanted


def test_a_recording_that_does_not_tell_of_it_is_said(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert main(["replay", "old.mcap", "pipeline.yaml", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["outcomes"]["dead_letter"] == 100
    assert "does not hold what lookups found in profiles (weight)" in told.err
    assert "Record again" in told.err
    for words in (
        ["replay", "old.mcap", "pipeline.yaml", "--clock", "recorded"],
        ["export", "pipeline.yaml", "--training", "old.mcap", "--out", "f.parquet"],
    ):
        assert main(words) == 2
        assert "does not hold what lookups found in profiles" in capsys.readouterr().err
    assert not Path("f.parquet").exists()


def test_training_data_has_what_was_found(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    words = ["export", "pipeline.yaml", "--training", "day.mcap", "--out", "f.parquet", "--json"]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["events"] == 70

"""``streamproc slo``: rules, burn rates, and a recording against the objectives."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamproc.cli import main
from streamproc.connectors.capture import CaptureMetadata, CaptureWriter
from tests.cli.support import ROOT
from tests.replay.playback.recordings import batch
from tests.support.prometheus import promtool

CONFIG = """
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float32}}}
deadline: {budget: 50ms}
features: [x]
model: {executor: {simulated: {fixed: 2ms, per_event: 500us}}}
sink: {kafka: {topic: decisions}}
slo:
  - {name: on-time, objective: 99.0, good: on_time, period: 30d}
  - {name: fast, objective: 99.0, latency: 45ms, period: 30d}
  - {name: right, objective: 90, labels: {topic: truth, decided: x}}
"""
HOUR_S = 3_600
BURST_AT_S, BURST_S = 1_800, 20


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    return tmp_path


def record(path: Path, *, burst: int = 0) -> None:
    """An hour with two records every two seconds; in the middle of it, for 20 seconds, as many more as are asked for."""
    with CaptureWriter(path, CaptureMetadata(pipeline="p"), durable=False) as writer:
        offset = 0
        for second in range(0, HOUR_S, 2):
            in_burst = BURST_AT_S <= second < BURST_AT_S + BURST_S
            count = 2 + (burst if in_burst else 0)
            writer.records(batch(range(offset, offset + count), second * 1_000.0))
            offset += count


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> dict[str, Any]:
    assert main(["slo", *words, "--json"]) == code
    (line,) = capsys.readouterr().out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def test_healthy_traffic_fires_nothing_in_an_hour(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    record(folder / "hour.mcap")
    found = run(capsys, "test", "pipeline.yaml", "--capture", "hour.mcap", code=0)
    assert found["kept"] is True
    assert found["alerts"] == []
    assert found["duration_s"] == pytest.approx(HOUR_S, abs=3)
    assert [(o["events"], o["bad"]) for o in found["objectives"]] == [(HOUR_S, 0)] * 2
    assert found["left_out"] == ["right"]


def test_an_overload_violates_them_pages_and_is_over(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    # 260 events at once: 132 ms of work, with 50 ms for each.
    record(folder / "burst.mcap", burst=258)
    found = run(capsys, "test", "pipeline.yaml", "--capture", "burst.mcap", code=1)
    kept = {o["name"]: o["kept"] for o in found["objectives"]}
    assert kept["on-time"] is False
    pages = [a for a in found["alerts"] if a["labels"].get("window") == "1h"]
    assert [a["status"] for a in pages if a["labels"]["slo"] == "on-time"] == ["firing", "resolved"]


def test_rules_are_written_with_their_tests(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    words = ("rules", "pipeline.yaml", "--out", "rules", "--selector", 'job="ticks"')
    found = run(capsys, *words, code=0)
    assert [f["slo"] for f in found["files"]] == ["on-time", "fast", "right"]
    assert sorted(p.name for p in Path("rules").iterdir())[:2] == [
        "p.fast.rules.test.yml",
        "p.fast.rules.yml",
    ]
    promtool("check", "rules", "p.fast.rules.yml", cwd=folder / "rules")


def test_rules_are_printed(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["slo", "rules", "pipeline.yaml"]) == 0
    page = yaml.safe_load(capsys.readouterr().out)
    assert len(page["groups"]) == 6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rules", "pipeline.yaml", "--selector", "job=ticks"), "--selector"),
        (("status", "pipeline.yaml", "127.0.0.1:1"), "is the service running?"),
        (("rules", str(ROOT / "streamproc/templates/market/pipeline.yaml")), "there are no objectives"),
    ],
)  # fmt: skip
def test_mistakes_are_told(
    capsys: pytest.CaptureFixture[str], folder: Path, words: tuple[str, ...], said: str
) -> None:
    assert main(["slo", *words]) == 2
    assert said in capsys.readouterr().err

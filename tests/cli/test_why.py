"""The command that says why."""

import json
from pathlib import Path

import pytest

from streamproc.cli import main
from streamproc.connectors.capture import CaptureMetadata, CaptureReader, CaptureWriter
from streamproc.core import Outcome, VirtualClock
from tests.replay.playback.recordings import START_NS, batch

CONFIG = """
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float32}}}
deadline: {budget: 50ms}
features: [x]
model: {executor: {simulated: {fixed: 2ms, per_event: 1ms}}}
sink: {kafka: {topic: decisions}}
"""


pytestmark = pytest.mark.usefixtures("untouched")


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Half a second with room, then four times what the model can do; replayed, with its records."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    batches = [batch([n], 5.0 * n) for n in range(300)]
    batches += [batch([300 + n], 1_500 + 0.25 * n) for n in range(800)]
    told = CaptureMetadata(pipeline="p", configuration=CONFIG)
    day = tmp_path / "day.mcap"
    with CaptureWriter(day, told, clock=VirtualClock(START_NS), durable=False) as writer:
        for one in batches:
            writer.records(one)
    assert main(["replay", "day.mcap", "pipeline.yaml", "--out", "out.mcap", "--send", "1ms"]) == 0
    ended = tmp_path / "whole.mcap"
    with CaptureWriter(ended, told, clock=VirtualClock(START_NS), durable=False) as writer:
        for one in batches:
            writer.records(one)
        for columns in CaptureReader("out.mcap").outcomes():
            writer.outcomes(columns)
    return ended


def lost(path: Path, outcome: Outcome) -> int:
    """An event in the midst of the overload that ended so."""
    offsets = [
        int(offset)
        for columns in CaptureReader(path).outcomes()
        for offset, code in zip(columns.offset, columns.outcome, strict=True)
        if code == outcome and offset > 500
    ]
    return sorted(offsets)[len(offsets) // 2]


def test_people_are_told_and_programs_too(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = f"ticks/0/{lost(recorded, Outcome.SHED)}"
    capsys.readouterr()
    assert main(["why", event, "--capture", str(recorded)]) == 0
    out = capsys.readouterr().out
    assert f"{event}: shed (" in out
    assert "The smallest change that would have saved it: " in out
    assert "times what they can do" in out
    assert main(["why", event, "pipeline.yaml", "--capture", str(recorded), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["outcome"] == "shed"
    assert answer["changes"]
    assert answer["load"]["rate_per_s"] > 2 * answer["load"]["capacity_per_s"]


def test_what_was_in_time_needs_no_change(
    recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert main(["why", "ticks/0/280", "--capture", str(recorded), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["outcome"], answer["changes"]) == ("on_time", [])
    assert answer["stages_ms"]["infer"] == 3.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ticks/0", "--capture", "whole.mcap"], "'ticks/0' names no event: write TOPIC/PARTITION/OFFSET"),
        (["ticks/0/99999", "--capture", "whole.mcap"], "has no outcome in the recording"),
        (["ticks/0/1", "--capture", "out.mcap"], "the record of ticks/0/1 is not in the recording"),
        (
            ["ticks/0/1", "--capture", "whole.mcap", "--set", "model={executor: {python: {callable: 'a:b'}}}"],
            "how long batches of full take is not in the recording",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_a_line(
    recorded: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    capsys.readouterr()
    assert main(["why", *words]) == 2
    assert said in " ".join(capsys.readouterr().err.split())

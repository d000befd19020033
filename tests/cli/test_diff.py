"""The command that compares two recordings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamproc.cli import main
from streamproc.connectors.capture import (
    CaptureMetadata,
    CaptureWriter,
    Gap,
    OutcomeColumns,
    RecordedDecision,
    RecordedModel,
)
from streamproc.core import Outcome, TopicPartition, VirtualClock
from tests.support.captures import comparisons_of

TICKS = TopicPartition("ticks", 0)
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


pytestmark = pytest.mark.usefixtures("wide")


def capture(
    path: Path,
    scores: Mapping[int, float],
    *,
    shed: tuple[int, ...] = (),
    digest: str = "sha256:aa",
    gap: bool = False,
    outcomes: bool = True,
) -> str:
    """Events decided with a score, whose label is ``up`` above a half; the gap is told of."""
    model = RecordedModel("full", digest, "cpu")
    told = CaptureMetadata(pipeline="direction", recorded_by="replay", models=(model,))
    with CaptureWriter(path, told, clock=VirtualClock(START_NS), durable=False) as writer:
        for offset, score in scores.items():
            output = {"label": "up" if score > 0.5 else "down", "scores": [score, 1 - score]}
            value = {"id": f"ticks/0/{offset}", "key": "BTC", "output": output}
            at_ns = START_NS + offset * MS
            sent = json.dumps(value).encode()
            writer.decisions([RecordedDecision(at_ns, "out", TICKS, offset, None, Outcome.ON_TIME, value=sent)])  # fmt: skip
            if outcomes:
                writer.outcomes(_ended([offset], Outcome.ON_TIME, at_ns))
        for offset in shed:
            writer.outcomes(_ended([offset], Outcome.SHED, START_NS))
        if gap:
            writer.gap(Gap(START_NS, START_NS + MS, "queue_full", {"records": 7}))
    return str(path)


def _ended(offsets: list[int], outcome: Outcome, at_ns: int) -> OutcomeColumns:
    count = len(offsets)
    return OutcomeColumns(
        source=TICKS,
        offset=np.array(offsets),
        outcome=np.full(count, outcome, np.uint8),
        acknowledged_ns=at_ns + 5 * MS,
        reason="planner" if outcome is Outcome.SHED else "",
        event_time_ns=np.full(count, at_ns),
        deadline_ns=np.full(count, at_ns + 50 * MS),
    )


def found(capsys: pytest.CaptureFixture[str], *words: str, code: int) -> dict[str, Any]:
    assert main(["diff", *words, "--json"]) == code
    (line,) = capsys.readouterr().out.splitlines()
    answer: dict[str, Any] = json.loads(line)
    return answer


def test_the_same_is_exit_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = capture(tmp_path / "a.mcap", {0: 0.2, 1: 0.8}, shed=(2,))
    new = capture(tmp_path / "b.mcap", {1: 0.8, 0: 0.2}, shed=(2,))
    answer = found(capsys, old, new, code=0)
    assert answer["same"]
    assert (answer["joined"], answer["compared"]) == (3, 2)
    assert answer["baseline"]["outcomes"]["shed"] == 1
    assert answer["baseline"]["latency_ms"]["max"] == 5.0
    assert answer["changes"] == []


def test_another_model_lists_exactly_the_changed_ones_and_is_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = capture(tmp_path / "a.mcap", dict.fromkeys(range(300), 0.2))
    again = {n: 0.6 if n in (7, 210) else 0.25 if n == 8 else 0.2 for n in range(300)}
    new = capture(tmp_path / "b.mcap", again, digest="sha256:bb")
    listed = tmp_path / "changes.jsonl"
    answer = found(capsys, old, new, "--changes", str(listed), code=1)
    assert [one["id"] for one in answer["changes"]] == ["ticks/0/7", "ticks/0/8", "ticks/0/210"]
    assert [one["flipped"] for one in answer["changes"]] == [True, False, True]
    assert answer["bounds"]["flips"]["events"] == 2
    assert answer["flips"] == {"down->up": 2}
    assert answer["candidate"]["facts"]["model full"] == "sha256:bb"
    assert [json.loads(line)["id"] for line in listed.read_text().splitlines()] == [
        one["id"] for one in answer["changes"]
    ]


def test_bounds_let_it_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = capture(tmp_path / "a.mcap", dict.fromkeys(range(10), 0.2))
    new = capture(tmp_path / "b.mcap", {n: 0.6 if n == 7 else 0.2000001 for n in range(9)})
    found(capsys, old, new, "--tolerance", "1e-6", code=1)
    passed = ["--tolerance", "scores=1e-6", "--max-flips", "12%", "--max-missing", "1"]
    answer = found(capsys, old, new, *passed, code=0)
    assert answer["bounds"]["missing"]["ok"]
    assert answer["fields"]["output.scores"] == {
        "changed": 1,
        "within": 8,
        "difference_max": pytest.approx(0.4),
    }
    found(capsys, old, new, *passed, "--max-changed", "0", code=1)


def test_what_ended_otherwise_is_told_and_bounded_only_where_that_is_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = capture(tmp_path / "a.mcap", {0: 0.2, 1: 0.8})
    new = capture(tmp_path / "b.mcap", {0: 0.2}, shed=(1,))
    answer = found(capsys, old, new, code=0)
    assert answer["outcomes"] == {"on_time->on_time": 1, "on_time->shed": 1}
    (change,) = answer["changes"]
    assert (change["kind"], change["reason"]["candidate"]) == ("outcome", "planner")
    found(capsys, old, new, "--max-outcomes", "10%", code=1)


def test_noise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(name: str, every: int) -> str:
        return capture(tmp_path / name, {n: 0.6 if n % every == 0 else 0.2 for n in range(400)})

    old, again, new = run("a.mcap", 1_000), run("c.mcap", 50), run("b.mcap", 40)
    found(capsys, old, new, code=1)
    answer = found(capsys, old, new, "--noise", again, code=0)
    assert 0.02 < answer["bounds"]["flips"]["noise"] < 0.05


def test_the_tables_for_people_and_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = capture(tmp_path / "a.mcap", {0: 0.2, 1: 0.8, 2: 0.8})
    new = capture(tmp_path / "b.mcap", {0: 0.6, 1: 0.8}, shed=(2,), gap=True)
    report = tmp_path / "diff.html"
    assert main(["diff", old, new, "--html", str(report)]) == 1
    out, err = capsys.readouterr()
    assert "Out of bounds: decisions changed: 1 of 2; labels flipped: 1 of 2" in out
    assert "ticks/0/0: changed: output.label: down -> up; output.scores[0]: 0.2 -> 0.6 (0.4)" in out
    assert "on_time -> shed: 1" in out
    assert "7 records" in out
    assert f"report: {report}" in err
    assert "ticks/0/0" in report.read_text()


def test_without_outcomes_the_decisions_tell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = capture(tmp_path / "a.mcap", {0: 0.2}, outcomes=False)
    answer = found(capsys, old, old, code=0)
    assert (answer["compared"], answer["baseline"]["latency_ms"]) == (1, {})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--tolerance", "x"], "--tolerance: 'x' is no tolerance"),
        (["--max-flips", "200%"], "'200%' is no bound"),
        (["--changes", "nowhere/c.jsonl"], "cannot write nowhere/c.jsonl: No such file"),
        (["--html", "nowhere/d.html"], "no report can be written"),
        (["--noise", "none.mcap"], "none.mcap"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    old = capture(tmp_path / "a.mcap", {0: 0.2})
    assert main(["diff", old, old, *words]) == 2
    _, err = capsys.readouterr()
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_one_recording_of_a_shadow_is_two_sides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "day.mcap"
    told = CaptureMetadata(pipeline="direction", recorded_by="service")
    with CaptureWriter(path, told, clock=VirtualClock(START_NS), durable=False) as writer:
        writer.comparisons(comparisons_of(0.5, 0.5, 0.7))
    answer = found(capsys, str(path), code=1)
    assert (answer["joined"], answer["compared"]) == (3, 3)
    assert [one["id"] for one in answer["changes"]] == ["ticks/3/2"]
    assert answer["baseline"]["file"] == f"{path}: full"
    assert answer["candidate"]["file"] == f"{path}: v2"
    found(capsys, str(path), "--tried", "v2", "--max-changed", "50%", code=0)

    with CaptureWriter(path, told, durable=False, overwrite=True) as writer:
        writer.comparisons(comparisons_of(0.5))
        writer.comparisons(comparisons_of(0.7, candidate="v3", published=True))
    found(capsys, str(path), "--tried", "v2", code=0)
    found(capsys, str(path), "--tried", "v3", code=1)
    for words, said in (
        ([str(path)], "choose one with --tried: v2, v3"),
        ([str(path), "--tried", "v4"], "'v4' was not tried"),
        ([str(path), str(path), "--tried", "v2"], "leave CANDIDATE.mcap out"),
        ([str(path), "--noise", str(path)], "is of two recordings"),
        ([capture(tmp_path / "a.mcap", {0: 0.2})], "has no model that was tried"),
    ):
        assert main(["diff", *words]) == 2
        assert said in capsys.readouterr().err

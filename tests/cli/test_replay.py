"""The command that replays: from a file to books that add up, and clear words for what is wrong."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from streamproc.cli import main
from streamproc.cli.sweep import split_values
from streamproc.connectors.capture import CaptureMetadata, CaptureReader, CaptureWriter
from streamproc.core import NS_PER_S
from tests.cli.support import environment, streamproc
from tests.replay.playback.recordings import START_NS, batch

CONFIG = """
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float32}}}
deadline: {budget: 50ms}
features: [x]
model: {executor: {simulated: {fixed: 2ms, per_event: 500us}}}
sink: {kafka: {topic: decisions}}
"""
LANES = "lanes=[{name: high, when: x > 50, priority: 0, share: 0.5}]"


pytestmark = pytest.mark.usefixtures("untouched")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(CONFIG)
    record(tmp_path / "day.mcap", 1_000)
    return tmp_path


def record(path: Path, batches: int, *, every_ms: float = 4.0, **metadata: Any) -> None:
    """A recording of batches of two records of 11 keys."""
    with CaptureWriter(path, CaptureMetadata(pipeline="p", **metadata), durable=False) as writer:
        for n in range(batches):
            keys = [b"k%d" % (n % 11), b"k%d" % (n * 7 % 11)]
            values = [b'{"x": %d}' % (n % 100), b'{"x": %d}' % (n * 3 % 100)]
            writer.records(batch([2 * n, 2 * n + 1], n * every_ms, keys=keys, values=values))


def replay(
    capsys: pytest.CaptureFixture[str], *words: str, code: int = 0, file: str = "day.mcap"
) -> tuple[str, str]:
    assert main(["replay", file, "pipeline.yaml", *words]) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def found(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    out, _ = replay(capsys, *words, "--json")
    (line,) = out.splitlines()
    answer: dict[str, Any] = json.loads(line)
    assert sum(answer["outcomes"].values()) == answer["consumed"]
    return answer


def test_the_books_add_up(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    answer = found(capsys)
    assert answer["consumed"] == 2_000
    assert answer["outcomes"]["on_time"] == 2_000
    assert answer["duration_s"] == pytest.approx(4.0, abs=0.1)
    assert answer["replay"]["clock"] == "virtual"
    assert answer["replay"]["latency_model"] == {"full": "simulated"}
    assert answer["replay"]["records"] == 2_000


def test_for_people(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    out, _ = replay(capsys)
    assert "p: 2,000 events in 4.0 s" in out
    assert "clock virtual: 2,000 records" in out
    assert "batch times: full simulated; sending: assumed" in out


@pytest.mark.parametrize("words", [("--load", "4", "--seed", "3"), ("--set", LANES, "--set", "shed=[expired, conflate]")])  # fmt: skip
def test_two_processes_write_the_same_bytes(
    folder: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """Also where hashes of keys decide about nothing but who is whose."""
    for number in (1, 2):
        env = environment(PYTHONHASHSEED=str(number))
        command = ("replay", "day.mcap", "pipeline.yaml", "--out", f"{number}.mcap", *words)
        assert streamproc(*command, cwd=folder, env=env).code == 0
    assert Path("1.mcap").read_bytes() == Path("2.mcap").read_bytes()
    decisions = list(CaptureReader("1.mcap").decisions())
    assert len(decisions) > 1_000
    assert {decision.outcome.word for decision in decisions} <= {"on_time", "late"}


def test_what_is_written_can_be_read(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    answer = found(capsys, "--out", "out.mcap")
    assert answer["out"] == "out.mcap"
    reader = CaptureReader("out.mcap")
    assert reader.metadata.recorded_by == "replay"
    decisions = list(reader.decisions())
    assert [d.id for d in decisions][:3] == ["ticks/0/0", "ticks/0/1", "ticks/0/2"]
    outcomes = list(reader.outcomes())
    assert sum(map(len, outcomes)) == 2_000
    first = outcomes[0]
    assert first.handed_ns is not None
    assert first.acknowledged_ns == first.handed_ns + 1_000_000


def test_other_loads_settings_and_pieces(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert found(capsys, "--load", "3")["consumed"] == 6_000
    assert found(capsys, "--speed", "4")["duration_s"] == pytest.approx(1.0, abs=0.1)
    assert found(capsys, "--loop", "2")["consumed"] == 4_000
    assert found(capsys, "--start", "1s", "--end", "2s")["consumed"] == 500
    assert 0 < found(capsys, "--key", "k3", "--key", "k4")["consumed"] < 1_000
    assert found(capsys, "--executor", "simulated")["consumed"] == 2_000
    tight = found(capsys, "--set", "deadline.budget=4ms", "--load", "3")
    assert tight["outcomes"]["shed"] > 1_000


def test_an_instant_is_a_start_too(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    at = datetime.fromtimestamp(START_NS // NS_PER_S + 3, UTC).isoformat()
    assert found(capsys, "--start", at)["consumed"] == 500


def test_the_virtual_clock_is_as_fast_as_it_can_be(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    _, err = replay(capsys, "--speed", "max")
    assert "events keep their recorded times" in err


def test_another_machine_is_said(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    record(
        folder / "other.mcap",
        3,
        machine={"cpu_features": "none such", "threads": "1", "cores": "999"},
    )
    _, err = replay(capsys, file="other.mcap")
    assert "not as it was recorded: cpu_features none such, here" in err
    assert "999" not in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--speed", "0"), "how many times quicker"),
        (("--load", "-1"), "a multiple of the recorded traffic"),
        (("--topic", "trades"), "the recording has ticks"),
        (
            ("--set", "source.kafka.topics=[trades]", "--set", "name=q"),
            "name a topic of the recording with --topic",
        ),
        (("--start", "soon"), "such as 10s"),
        (("--start", "3s", "--end", "2s"), "--end must be later"),
        (("--clock", "recorded"), "has no schedule log"),
        (("--clock", "recorded", "--load", "2"), "--load cannot go with --clock recorded"),
        (("--latency-model", "small=x.json"), "there is no such variant; there are full"),
        (("--latency-model", "x.json"), "x.json: cannot be read"),
    ],
)
def test_mistakes_are_lines(
    capsys: pytest.CaptureFixture[str], folder: Path, words: tuple[str, ...], said: str
) -> None:
    out, err = replay(capsys, *words, code=2)
    assert said in err
    assert not out


def test_no_such_recording(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    _, err = replay(capsys, file="night.mcap", code=2)
    assert "night.mcap" in err


def test_a_sweep_is_a_table_an_object_and_a_page(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    words = ("--set", "deadline.budget=5ms,20ms,50ms", "--load", "1,6", "--report", "sweep.html")
    assert main(["sweep", "day.mcap", "pipeline.yaml", *words, "--json"]) == 0
    captured = capsys.readouterr()
    answer = json.loads(captured.out)
    assert [run["set"] for run in answer["runs"]][:3] == [
        {"deadline.budget": "5ms", "load": "1x"},
        {"deadline.budget": "5ms", "load": "6x"},
        {"deadline.budget": "20ms", "load": "1x"},
    ]
    on_time = [run["outcomes"]["on_time"] for run in answer["runs"] if run["set"]["load"] == "6x"]
    assert on_time == sorted(on_time), "a longer budget keeps more"
    assert on_time[0] < on_time[-1]
    page = Path("sweep.html").read_text()
    for text in ("In time, by deadline.budget", "load 6x", ">50ms</td>", "<svg"):
        assert text in page


def test_a_sweep_of_one_is_none(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    assert main(["sweep", "day.mcap", "pipeline.yaml", "--set", "deadline.budget=5ms"]) == 2
    assert "nothing varies" in capsys.readouterr().err


def test_a_sweep_looks_at_all_values_before_the_first_runs(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    assert main(["sweep", "day.mcap", "pipeline.yaml", "--set", "deadline.budget=5ms,20"]) == 2
    said = capsys.readouterr()
    assert "deadline.budget: must be a duration" in said.err
    assert "1 of 2" not in said.err


def test_values_in_brackets_stay_together() -> None:
    assert split_values("[a, b],{c: 'd,e'},\"f,g\",h") == ["[a, b]", "{c: 'd,e'}", '"f,g"', "h"]


def test_at_the_wall_clocks_pace(folder: Path) -> None:
    """In a process of its own: the command takes the event loop and the signals."""
    record(folder / "short.mcap", 100)
    words = ("replay", "short.mcap", "pipeline.yaml", "--clock", "wall", "--out", "out.mcap")
    done = streamproc(*words, "--json", cwd=folder)
    assert done.code == 0, done.err
    answer = done.json
    assert answer["consumed"] == 200 == sum(answer["outcomes"].values())
    assert answer["duration_s"] > 0.39
    assert answer["replay"]["schedule_lag_ms"]["p50"] < 200
    assert len(list(CaptureReader(folder / "out.mcap").decisions())) > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--produce", "localhost:1", "--clock", "virtual"), "cannot go with --clock virtual"),
        (("--produce", "localhost:1", "--out", "x.mcap"), "--out cannot go with --produce"),
        (("--clock", "wall", "--executor", "simulated"), "cannot go with the wall clock"),
        (("--produce", "localhost:1"), "--produce: no Kafka broker can be reached (localhost:1"),
    ],
)
def test_ways_that_cannot_go_together(
    capsys: pytest.CaptureFixture[str], folder: Path, words: tuple[str, ...], said: str
) -> None:
    _, err = replay(capsys, *words, code=2)
    assert said in err


def test_its_arrivals_can_be_simulated(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    words = ("--capture", "day.mcap", "--load", "0.5", "--json")
    assert main(["simulate", "pipeline.yaml", *words]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["consumed"] == 2_000
    assert answer["trials"][0]["load"] == 0.5

"""The command that simulates: the same again from the same seed, and clear words for what is wrong."""

import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from streamproc.cli import main
from streamproc.cli.simulate_plan import STANDARD_LOADS, parse_lanes, parse_loads
from streamproc.scheduling import LatencyModel, PlannerName
from tests.cli.support import MARKET

CONFIG = """
name: direction
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {size: int64, f: "float32[4]"}}}
deadline: {budget: 20ms}
features: [f]
model: {executor: {simulated: {fixed: 2ms, per_event: 500us}}}
batching: {max_size: 32}
sink: {kafka: {topic: decisions}}
"""
LANES = "lanes=[{name: high, when: size > 9, priority: 0, share: 0.5}]"


pytestmark = pytest.mark.usefixtures("untouched")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "200")
    path = tmp_path / "pipeline.yaml"
    path.write_text(CONFIG)
    return str(path)


def simulate(
    capsys: pytest.CaptureFixture[str], config: str, *words: str, code: int = 0
) -> tuple[str, str]:
    assert main(["simulate", config, "--duration", "300ms", *words]) == code
    captured = capsys.readouterr()
    return captured.out, captured.err


def found(capsys: pytest.CaptureFixture[str], config: str, *words: str) -> dict[str, Any]:
    out, _ = simulate(capsys, config, *words, "--json")
    (line,) = out.splitlines()
    answer: dict[str, Any] = json.loads(line)
    return answer


def test_the_table_for_people(capsys: pytest.CaptureFixture[str], config: str) -> None:
    out, err = simulate(capsys, config, "--load", "0.5..2", "--compare")
    assert "capacity 1,778 events/s within 20ms" in out
    assert "of the optimum" in out
    for name in get_args(PlannerName):
        assert len(re.findall(rf"\b{name}\b", out)) == 4
    assert [line.split(":")[0] for line in err.splitlines()] == ["0.5x", "1x", "1.5x", "2x"]


def test_json_adds_up(capsys: pytest.CaptureFixture[str], config: str) -> None:
    answer = found(capsys, config, "--bursty", "capacity", "--load", "1,3", "--compare")
    assert len(answer["trials"]) == 2 * len(get_args(PlannerName))
    assert answer["pipeline"] == "direction"
    for trial in [answer, *answer["trials"]]:
        assert sum(trial["outcomes"].values()) == trial["consumed"]
        assert sum(trial["reasons"].values()) == trial["outcomes"]["shed"]
    for trial in answer["trials"]:
        assert trial["best"]["kind"] == "exact"
        assert trial["outcomes"]["on_time"] <= trial["best"]["events"]
    assert answer["outcomes"] == answer["trials"][0]["outcomes"]
    assert answer["trials"][0]["share_of_best"] > 0.95


def test_of_a_model_that_can_do_millions_a_second_a_part_of_one_is_simulated(
    capsys: pytest.CaptureFixture[str], config: str
) -> None:
    quick = ("--set", "model={executor: {simulated: {fixed: 20us, per_event: 200ns}}}")
    assert main(["simulate", config, *quick, "--load", "1,4", "--json"]) == 0
    least, most = (trial["consumed"] for trial in json.loads(capsys.readouterr().out)["trials"])
    assert 240_000 < most < 260_000
    assert 3.8 < most / least < 4.2


def test_a_seed_gives_the_same_bytes(
    capsys: pytest.CaptureFixture[str], config: str, tmp_path: Path
) -> None:
    words = ("--bursty", "900", "--jitter", "0.2", "--report", str(tmp_path / "r.html"), "--json")

    def run(seed: str) -> tuple[str, bytes]:
        out, _ = simulate(capsys, config, *words, "--seed", seed)
        return out, (tmp_path / "r.html").read_bytes()

    first, again, other = run("4"), run("4"), run("5")
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


def test_the_report(capsys: pytest.CaptureFixture[str], config: str, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    simulate(capsys, config, "--load", "0.5,2", "--compare", "--report", str(path))
    page = path.read_text()
    for name in get_args(PlannerName):
        assert f'class="line {name}"' in page
    for title in ("Goodput over load", "Share of the optimum", "Tail latency over load"):
        assert f"<h3>{title}</h3>" in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "").replace("http://www.w3.org", "")


@pytest.mark.parametrize("shape", ["poisson", "bursty", "diurnal", "flash-crowd", "step"])
def test_every_shape_of_arrivals(
    capsys: pytest.CaptureFixture[str], config: str, shape: str
) -> None:
    answer = found(capsys, config, f"--{shape}", "1500")
    assert answer["trials"][0]["load"] == pytest.approx(1500 / 1778, abs=0.001)
    assert answer["consumed"] > 300


def test_arrivals_from_a_file(
    capsys: pytest.CaptureFixture[str], config: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{at * 1_000_000},,k{at % 3}\n" for at in range(200)))
    assert found(capsys, config, "--arrivals", str(path))["outcomes"]["on_time"] == 200
    scaled = found(capsys, config, "--arrivals", str(path), "--load", "4")
    assert scaled["consumed"] == 200
    assert 0 < scaled["outcomes"]["shed"] < 200


def test_arrivals_of_a_recording(
    capsys: pytest.CaptureFixture[str], config: str, tmp_path: Path
) -> None:
    path = tmp_path / "r.jsonl"
    lines = [json.dumps({"timestamp_ns": at * 10**7, "key": None, "value": 1}) for at in range(50)]
    path.write_text("\n".join(lines))
    answer = found(capsys, config, "--recording", str(path))
    assert answer["consumed"] == 50
    assert answer["trials"][0]["load"] == pytest.approx(100 / 1778, abs=0.001)


def test_lanes_have_their_parts(capsys: pytest.CaptureFixture[str], config: str) -> None:
    answer = found(capsys, config, "--load", "3", "--set", LANES, "--lane", "high=0.2")
    high, rest = (answer["lanes"][name] for name in ("high", "default"))
    assert sum(high.values()) / answer["consumed"] == pytest.approx(0.2, abs=0.04)
    assert high["on_time"] / sum(high.values()) > 0.95 > rest["on_time"] / sum(rest.values())


def test_a_saved_latency_model(
    capsys: pytest.CaptureFixture[str], config: str, tmp_path: Path
) -> None:
    path = tmp_path / "latency.json"
    path.write_text(LatencyModel([1, 32], [1_000_000, 8_000_000], size_max=32).to_json())
    answer = found(capsys, config, "--latency-model", str(path), "--send", "1us")
    assert answer["capacity_per_s"] == pytest.approx(4_000)


def test_the_model_is_measured_and_its_times_are_kept(
    capsys: pytest.CaptureFixture[str], config: str, tmp_path: Path
) -> None:
    path = tmp_path / "latency.json"
    real = ("--set", "deadline.budget=1s", "--send", "1us", "--poisson", "100")
    first = found(capsys, str(MARKET), *real, "--measure", str(path))
    assert LatencyModel.from_json(path.read_text()).run_ns[0] > 0
    again = found(capsys, str(MARKET), *real, "--latency-model", str(path))
    assert first == again
    assert again["outcomes"]["on_time"] == again["consumed"]


MISTAKES = [
    (["--poisson", "5", "--step", "5"], "--poisson and --step cannot go together"),
    (["--poisson", "many"], "--poisson many: write events a second, such as 2000, or capacity"),
    (["--load", "0"], "'0' is no load"),
    (["--load", "4..1"], "'4..1' goes down"),
    (["--capture", "f.mcap"], "f.mcap"),
    (["--arrivals", "none.csv"], "none.csv: cannot be read"),
    (["--lane", "high=0.5"], "there is no lane 'high' in the file; there are none"),
    (["--set", LANES, "--lane", "high=2"], "write the part of the events"),
    (["--latency-model", "small=f.json"], "there is no such variant; there are full"),
    (["--measure", "f.json"], "it cannot be measured without real ones"),
    (["--latency-model", "none.json"], "none.json: cannot be read"),
    (["--set", "deadline.budget=2ms"], "no batch can be in time"),
    (["--set", "model.executor={python: {callable: 'm:f'}}"], "how long batches of full take"),
    (["--duration", "1us", "--poisson", "1"], "no event comes in"),
    (["--duration", "900h"], "events are too many"),
]


@pytest.mark.parametrize(("words", "said"), MISTAKES)
def test_mistakes(
    capsys: pytest.CaptureFixture[str], config: str, words: list[str], said: str
) -> None:
    _, err = simulate(capsys, config, *words, code=2)
    assert said in " ".join(err.split())
    assert "Traceback" not in err


def test_a_wrong_line_of_a_file(
    capsys: pytest.CaptureFixture[str], config: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("5\n4\n")
    out, _ = simulate(capsys, config, "--arrivals", str(path), "--json", code=2)
    (problem,) = json.loads(out)["problems"]
    assert (problem["file"], problem["line"]) == (str(path), 2)


def test_loads() -> None:
    assert parse_loads(["0.5..4"]) == [*STANDARD_LOADS]
    assert parse_loads(["0.7..1.6", "1", "9"]) == [0.7, 1.0, 1.5, 1.6, 9.0]
    assert parse_loads([]) == []
    assert parse_lanes(["a=0.2,b=0.8"], ["a", "b"]) == {"a": 0.2, "b": 0.8}


def test_a_cascade_is_not_simulated(capsys: pytest.CaptureFixture[str], config: str) -> None:
    model = (
        "model={variants: [{name: full, executor: {simulated: {}}}, "
        "{name: small, quality: 0.9, executor: {simulated: {}}}], cascade: {unsure: margin < 0.2}}"
    )
    _, err = simulate(capsys, config, "--set", model, code=2)
    assert "a simulation has no events whose answers could be unsure" in err


def test_a_model_that_carries_state_is_not_simulated(
    capsys: pytest.CaptureFixture[str], config: str
) -> None:
    (Path(config).parent / "m.onnx").touch()
    model = (
        "model={path: m.onnx, executor: {onnxruntime: {}}, state: {inputs: {h: g}, remembers: 1s}}"
    )
    _, err = simulate(capsys, config, "--set", model, code=2)
    assert "model.state" in err
    assert "does not know which events are of one key" in err


def test_what_is_left_out_is_said(capsys: pytest.CaptureFixture[str], config: str) -> None:
    assert found(capsys, config)["left_out"] == []
    shadow = "rollout={shadow: {executor: {simulated: {}}}}"
    for settings, names in (
        (["reorder={slack: 10ms}", shadow], ["reorder", "rollout"]),
        (["serve={listen: '127.0.0.1:0'}"], ["serve"]),
    ):
        words = [word for setting in settings for word in ("--set", setting)]
        out, err = simulate(capsys, config, *words, "--json")
        told = json.loads(out)["left_out"]
        assert [one.partition(":")[0] for one in told] == names
        assert err.count("not simulated: ") == len(names)

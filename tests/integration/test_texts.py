"""A model that takes texts and gives one, through the whole pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamproc.connectors.capture import CaptureReader
from streamproc.testing import PipelineTest
from tests.cli.support import call
from tests.support.texts import SIDES, WORDS, side_model, small_letters

pytestmark = pytest.mark.usefixtures("untouched")

TYPED = ["buy", "sell", "hold", "", "größer"]
COUNT = 60


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline whose model takes a text and a number."""
    monkeypatch.chdir(tmp_path)
    side_model(tmp_path / "side.onnx")
    lines = (json.dumps(event(n)) + "\n" for n in range(COUNT))
    (tmp_path / "events.jsonl").write_text("".join(lines))
    return write(tmp_path / "pipeline.yaml", {"path": "side.onnx"})


def write(path: Path, model: dict[str, Any], **more: object) -> Path:
    text: dict[str, object] = {
        "name": "sides",
        "source": {"file": {"path": "events.jsonl", "speed": "max"}},
        "codec": {"json": {"fields": {"side": "str", "price": "float32"}}},
        "deadline": {"budget": "10m", "from": "arrival"},
        "features": ["side", "price"],
        "model": model,
        "sink": {"file": {"path": "decisions.jsonl"}},
        "telemetry": {"metrics": {"listen": "127.0.0.1:0"}},
    }
    path.write_bytes(msgspec.yaml.encode(text | more))
    return path


def event(n: int) -> dict[str, Any]:
    return {"side": TYPED[n % len(TYPED)], "price": float(n)}


def signed(n: int) -> float:
    one = event(n)
    return SIDES.get(one["side"], 0.0) * one["price"]


def decisions() -> dict[str, Any]:
    lines = Path("decisions.jsonl").read_text(encoding="utf-8").splitlines()
    return {one["id"]: one["output"] for one in map(json.loads, lines)}


def test_texts_go_in_and_come_out_live_and_again(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = call(capsys, "check", config, "--json")
    assert checked.code == 0, checked.err
    ran = call(capsys, "run", config, "--set", "record={path: day}", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["outcomes"]["on_time"] == COUNT
    made = decisions()
    assert [made[f"events/0/{n}"] for n in range(COUNT)] == [[signed(n)] for n in range(COUNT)]

    live = [(d.id, d.outcome, d.value) for d in CaptureReader("day").decisions()]
    words = ("replay", "day", config, "--json", "--clock")
    for clock in ("recorded", "virtual", "virtual"):
        again = call(capsys, *words, clock, "--out", f"{clock}.mcap")
        assert again.code == 0, again.err
    exact = [(d.id, d.outcome, d.value) for d in CaptureReader("recorded.mcap").decisions()]
    assert exact == live


def test_a_text_is_a_decision(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ran = call(capsys, "run", config, "--set", "output.tensor=word", "--json")
    assert ran.code == 0, ran.err
    made = decisions()
    wanted = [[WORDS.get(event(n)["side"], "?")] for n in range(COUNT)]
    assert [made[f"events/0/{n}"] for n in range(COUNT)] == wanted


def test_in_virtual_time_too(config: Path) -> None:
    test = PipelineTest(config)
    test.send("events", {"side": "sell", "price": 2.5})
    test.send("events", {"side": 5, "price": 2.5})
    test.send("events", {"side": None, "price": 2.5})
    result = test.run()
    assert [decision.output for decision in result.decisions] == [[-2.5]]
    assert {result.outcome_of(f"events/0/{n}") for n in (1, 2)} == {"dead_letter"}


@pytest.mark.parametrize(
    "model",
    [
        {"path": "side.onnx", "isolation": True},
        {"path": "side.onnx", "executor": {"simulated": {"fixed": "1ms"}}},
        {"chain": [{"path": "side.onnx"}]},
        {"path": "side.onnx", "executor": {"onnxruntime": {"graph_optimization": "none"}}},
    ],
)
def test_wherever_the_model_runs(
    model: dict[str, Any], config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(config, model)
    ran = call(capsys, "run", config, "--json")
    assert ran.code == 0, ran.err
    assert decisions()["events/0/1"] == [-1.0]


def test_a_text_is_handed_on_in_a_chain(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = {
        "path": "side.onnx",
        "inputs": {"side": "word", "price": "signed"},
        "outputs": {"signed": "twice", "word": "of_word"},
    }
    write(config, {"chain": [{"path": "side.onnx"}, again]}, output={"tensor": "of_word"})
    ran = call(capsys, "run", config, "--json")
    assert ran.code == 0, ran.err
    assert set(map(tuple, decisions().values())) == {("?",)}, "bought and sold are no sides"


def test_a_stage_of_onnxruntime_extensions_prepares_texts(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime_extensions")
    small_letters(Path("small.onnx"))
    Path("events.jsonl").write_text(json.dumps({"side": "SeLL", "price": 2.0}) + "\n")
    chain = [
        {"path": "small.onnx", "inputs": {"typed": "side"}},
        {"path": "side.onnx", "inputs": {"side": "small"}},
    ]
    write(config, {"chain": chain, "custom_ops": ["onnxruntime_extensions"]})
    ran = call(capsys, "run", config, "--json")
    assert ran.code == 0, ran.err
    assert list(decisions().values()) == [[-2.0]]


def test_a_constant_may_be_a_text(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(config, {"path": "side.onnx", "constants": {"side": ["sell"]}}, features=["price"])
    assert call(capsys, "run", config, "--json").code == 0
    assert decisions()["events/0/7"] == [-7.0]


def test_it_is_held_against_golden_inputs_and_measured(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = {"side": np.array([["buy"], ["x"]]), "price": np.array([[2], [3]], np.float32)}
    np.savez("golden.npz", **inputs, word=np.array([["bought"], ["?"]]))  # type: ignore[arg-type]
    np.savez("wrong.npz", **inputs, word=np.array([["sold"], ["?"]]))  # type: ignore[arg-type]
    golden = ("--set", "model.golden.path=golden.npz")
    assert call(capsys, "check", config, *golden).code == 0
    wrong = call(capsys, "check", config, "--set", "model.golden.path=wrong.npz")
    assert (wrong.code, "model.golden" in wrong.err) == (2, True), wrong.err

    words = ("--scenario", "single_stream", "--duration", "2ms", "--batch", "1", "--json")
    assert call(capsys, "bench", config, *words).code == 0
    assert call(capsys, "optimize", "side.onnx", "--tune", "--rounds", "1", "--json").code == 0


@pytest.mark.parametrize(
    ("features", "inputs", "words"),
    [
        (["side", "price"], {"side": "price", "price": "side"}, "takes texts, price is none"),
        (["price"], {"side": "price"}, "takes texts, price is none"),
        (["side"], {"price": "side"}, "'price' takes float32, side is a text"),
    ],
)
def test_texts_and_numbers_are_not_taken_for_one_another(
    features: list[str],
    inputs: dict[str, str],
    words: str,
    config: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(config, {"path": "side.onnx", "inputs": inputs}, features=features)
    checked = call(capsys, "check", config)
    assert checked.code == 2
    assert words in checked.err
    assert "pipeline.yaml:" in checked.err

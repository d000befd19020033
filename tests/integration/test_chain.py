"""Three models in a row as one model of a pipeline: checked, served, recorded, replayed, measured, and put in place of others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamproc.connectors.capture import CaptureReader
from tests.cli.support import call
from tests.support.chains import chain_files, expected

pytestmark = pytest.mark.usefixtures("untouched")

COUNT = 200
CHAIN = [
    {"path": "scale.onnx"},
    {"path": "linear.onnx", "inputs": {"x": "scaled"}},
    {"path": "softmax.onnx", "inputs": {"logits": "y"}},
]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline over a file of events, which a chain decides on."""
    monkeypatch.chdir(tmp_path)
    chain_files(tmp_path)
    rows = numbers()
    events = [{"id": n, "raw": row.tolist()} for n, row in enumerate(rows)]
    (tmp_path / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    text = {
        "name": "chained",
        "source": {"file": {"path": "events.jsonl", "speed": "max"}},
        "codec": {"json": {"fields": {"id": "int64", "raw": "float32[3]"}}},
        "deadline": {"budget": "10m", "from": "arrival"},
        "features": ["raw"],
        "model": {"chain": CHAIN},
        "output": {"labels": ["down", "up"], "scores": True},
        "sink": {"file": {"path": "decisions.jsonl"}},
        "telemetry": {"metrics": {"listen": "127.0.0.1:0"}},
    }
    path = tmp_path / "pipeline.yaml"
    path.write_bytes(msgspec.yaml.encode(text))
    return path


def numbers() -> Any:
    return np.random.default_rng(7).normal(2, 3, size=(COUNT, 3)).astype(np.float32)


def test_it_is_one_model_to_the_whole_pipeline(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = call(capsys, "check", config, "--json")
    assert checked.code == 0, checked.err
    told = checked.json["model"]
    assert [Path(one["path"]).name for one in told["stages"]] == [stage["path"] for stage in CHAIN]

    ran = call(capsys, "run", config, "--set", "record={path: day}", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["consumed"] == ran.json["outcomes"]["on_time"] == COUNT
    lines = (tmp_path / "decisions.jsonl").read_text().splitlines()
    decisions = {one["id"]: one for one in map(json.loads, lines)}
    wanted = expected(numbers())
    scores = [decisions[f"events/0/{n}"]["output"]["scores"] for n in range(COUNT)]
    assert np.allclose(scores, wanted, atol=1e-5)
    assert {one["model"]["digest"] for one in decisions.values()} == {told["digest"]}

    (recorded,) = CaptureReader(tmp_path / "day").metadata.models
    assert recorded.digest == told["digest"]
    assert len(recorded.stages.split()) == len(CHAIN)

    live = [(d.id, d.outcome, d.value) for d in CaptureReader(tmp_path / "day").decisions()]
    for clock in ("recorded", "virtual"):
        again = call(
            capsys, "replay", "day", config, "--clock", clock, "--out", f"{clock}.mcap", "--json"
        )
        assert again.code == 0, again.err
    exact = [(d.id, d.outcome, d.value) for d in CaptureReader("recorded.mcap").decisions()]
    assert exact == live


def test_operators_of_all_stages_are_profiled_and_the_whole_is_measured(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(capsys, "run", config, "--set", "record={path: day}", "--json").code == 0
    profiled = call(capsys, "profile", config, "--capture", "day", "--json")
    assert profiled.code == 0, profiled.err
    stages = {node["variant"] for node in profiled.json["operators"]}
    assert stages == {"full/0", "full/1", "full/2"}

    words = ("--scenario", "single_stream", "--duration", "5ms", "--batch", "1", "--json")
    measured = call(capsys, "bench", config, *words)
    assert measured.code == 0, measured.err
    (run,) = measured.json["runs"]
    assert run["executor"] == "full"


def test_a_cascade_asks_a_chain_what_a_file_is_unsure_of(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = {
        "variants": [
            {"name": "whole", "chain": CHAIN},
            {
                "name": "cheap",
                "chain": [*CHAIN[:2], {**CHAIN[2], "path": "softmax.onnx"}],
                "quality": 0.9,
            },
        ],
        "cascade": {"unsure": "margin < 0.5"},
    }
    ran = call(capsys, "run", config, "--set", f"model={json.dumps(model)}", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["outcomes"]["on_time"] == COUNT
    lines = Path("decisions.jsonl").read_text(encoding="utf-8").splitlines()
    by = {one["model"]["variant"] for one in map(json.loads, lines)}
    assert by == {"whole", "cheap"}


def test_what_does_not_fit_is_refused_with_its_line(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = config.read_text(encoding="utf-8").replace("logits: y", "logits: scaled")
    config.write_text(text, encoding="utf-8")
    (place,) = [n for n, line in enumerate(text.splitlines(), 1) if "logits: scaled" in line]
    checked = call(capsys, "check", config)
    assert checked.code == 2
    assert f"pipeline.yaml:{place}: model.chain[2].inputs.logits" in checked.err
    assert "takes float32[n, 2]" in checked.err


@pytest.mark.parametrize(
    ("more", "key", "words"),
    [
        ("model.state={inputs: {h: hN}, restore: none}", "model.state", "carries no state"),
        ("model.constants={sr: 1}", "model.constants", "into the stage"),
        ("model.executor={python: {callable: 'a.b:c'}}", "model.chain", "are files"),
        ("model.chain=[{path: gone.onnx}]", "model.chain[0].path", "there is no file"),
        ("model.path=scale.onnx", "model.chain", "must not stand beside path"),
    ],
)
def test_what_a_chain_does_not_go_with_is_refused(
    more: str, key: str, words: str, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checked = call(capsys, "check", config, "--set", more)
    assert checked.code == 2
    assert f"{key}: " in checked.err
    assert words in checked.err

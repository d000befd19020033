"""``bench``, ``profile`` and ``optimize`` as a user calls them."""

import json
from pathlib import Path

import numpy as np
import pytest

from streamproc.cli.app import main
from tests.modeling.conftest import model_file, recording
from tests.modeling.recordings import CONFIG, KEYS, drawn, write_model, write_recording

__all__ = ["model_file", "recording"]


def told(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, object]]:
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_bench_measures_a_model(
    model_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "bench.html"
    options = ("--duration", "5ms", "--batch", "1,4", "--threads", "1,2", "--report", page)
    code, found = told(capsys, "bench", model_file, "--limit", "60s", *options)
    assert code == 0
    runs = found["runs"]
    assert isinstance(runs, list)
    cells = [(run["threads"], run["scenario"], run["batch"]) for run in runs]
    one = [("single_stream", 1), ("multi_stream", 8)]
    one += [(name, size) for name in ("server", "offline") for size in (1, 4)]
    assert cells == [(threads, *cell) for threads in (1, 2) for cell in one]
    assert all(run["throughput_per_s"] > 0 and run["valid"] for run in runs)
    assert "onnxruntime, 2 threads" in page.read_text(encoding="utf-8")


def test_bench_says_where_a_limit_cannot_be_kept(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--scenario", "server", "--duration", "1ms", "--batch", "1", "--limit", "1us")
    code, _ = told(capsys, "bench", model_file, *options)
    assert code == 1


def test_profile_tells_operators_and_what_to_do(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = told(capsys, "profile", model_file, "--batch", "4")
    assert code == 0
    assert {"Conv", "Gemm"} <= {one["operator"] for one in found["written"]}  # type: ignore[attr-defined]
    assert found["advice"]
    assert found["flops"]
    assert found["roofline"]["flops_per_s"] > 0  # type: ignore[index]


def test_optimize_writes_a_ladder(
    model_file: Path, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--epochs", "0", "--keep", "0.5", "--rounds", "1", "--no-openvino", "--loss", "1")
    folder = tmp_path / "ladder"
    code, found = told(
        capsys, "optimize", model_file, "--recording", recording, "--out", folder, *options
    )
    names = [one["name"] for one in found["variants"]]  # type: ignore[attr-defined]
    assert {"full", "INT8, dynamic", "pruned to 50%"} <= set(names)
    assert (folder / "model.yaml").exists()
    assert code == (0 if len(found["ladder"]) > 1 else 1)  # type: ignore[arg-type]


@pytest.mark.parametrize("named", [True, False])
def test_optimize_makes_the_inputs_of_a_recording_as_the_service_does(
    named: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, day, config = (tmp_path / name for name in ("m.onnx", "day.mcap", "p.yaml"))
    write_model(model)
    write_recording(day, configuration="" if named else CONFIG)
    config.write_text(CONFIG)
    words = [model, *([config] if named else []), "--recording", day, "--label", "truth"]
    options = ("--epochs", "0", "--keep", "0.5", "--rounds", "1", "--no-openvino", "--loss", "1")
    code, found = told(capsys, "optimize", *words, *options)
    full = next(one for one in found["variants"] if one["name"] == "full")  # type: ignore[attr-defined]
    x, quote, up = drawn()
    trades = np.flatnonzero(~quote)
    of_test = trades[np.isin(trades % KEYS, keys_of_test(trades % KEYS))]
    # The model says up where x is above 0, and looks at the last three a little: nearly as this rule.
    assert full["accuracy"] == pytest.approx(((x > 0) == up)[of_test].mean(), abs=0.03)
    assert code == (0 if len(found["ladder"]) > 1 else 1)  # type: ignore[arg-type]


def keys_of_test(keys: np.ndarray) -> np.ndarray:
    """The last fifth of the keys, as they first appear."""
    _, first = np.unique(keys, return_index=True)
    return keys[np.sort(first)][-KEYS // 5 :]


def test_a_recording_without_a_configuration_needs_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_model(tmp_path / "m.onnx")
    write_recording(tmp_path / "day.mcap", configuration="")
    words = ["optimize", str(tmp_path / "m.onnx"), "--recording", str(tmp_path / "day.mcap")]
    assert main(words) == 2
    assert "name its file, optimize MODEL CONFIG" in capsys.readouterr().err
    assert main([*words[:2], "--recording", "x.npz", "--label", "y"]) == 2
    assert "are for recordings" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["bench", "none.onnx"], "none.onnx cannot be read"),
        (["bench", "none.onnx", "--scenario", "endless"], "must be some of single_stream"),
        (["bench", "none.onnx", "--batch", "0"], "must be whole numbers above 0"),
        (["bench", "none.onnx", "--executor", "abacus"], "there is no executor 'abacus'"),
        (["profile", "none.onnx"], "none.onnx cannot be read"),
        (["optimize", "none.onnx", "--recording", "none.npz"], "none.onnx cannot be read"),
    ],
)
def test_mistakes_are_lines(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert text in captured.err
    assert "Traceback" not in captured.err


def test_tune_writes_settings_that_a_pipeline_takes(
    model_file: Path, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--tune", "--rounds", "1", "--batch", "2", "--out", tmp_path / "tuned")
    code, found = told(capsys, "optimize", model_file, "--recording", recording, *options)
    assert code == 0
    assert found["settings"] == {}, "of one round nothing is believed"
    names = [trial["name"] for trial in found["trials"]]  # type: ignore[attr-defined]
    assert {"no arena", "graph: none", "as now, again"} <= set(names)
    text = (tmp_path / "tuned" / "tuned.yaml").read_text(encoding="utf-8")
    assert text == found["configuration"]
    assert "executor: {onnxruntime: {}}" in text

    code, drawn = told(capsys, "optimize", model_file, "--tune", "--rounds", "1", "--batch", "1")
    assert code == 0
    assert [trial["name"] for trial in drawn["trials"]] == names  # type: ignore[attr-defined]


def test_variants_are_not_made_of_nothing(
    model_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["optimize", str(model_file)]) == 2
    assert "needs --recording" in capsys.readouterr().err

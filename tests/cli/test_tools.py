"""init, doctor, schema, help: what they print and make."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from streamproc.cli.app import COMMANDS
from streamproc.cli.assets import asset, templates
from streamproc.cli.init import TEMPLATES
from streamproc.cli.machine import NEEDED
from tests.cli.support import MARKET, ROOT, SENSOR, environment, streamproc


def test_help_names_the_commands_and_loads_little(tmp_path: Path) -> None:
    answer = streamproc("--help", cwd=tmp_path)
    assert answer.code == 0
    assert all(name in answer.out for name in COMMANDS)
    code = "import sys; from streamproc.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
    ).stderr.split()
    assert not {"aiokafka", "onnxruntime", "pydantic"} & set(loaded)


@pytest.mark.parametrize(
    "words",
    [(name,) for name in COMMANDS if name not in ("dlq", "drift", "slo")]
    + [("dlq", name) for name in ("list", "show", "redrive")]
    + [("drift", name) for name in ("reference", "compare")]
    + [("slo", name) for name in ("rules", "status", "test")],
)
def test_every_command_has_help_and_json(words: tuple[str, ...], tmp_path: Path) -> None:
    answer = streamproc(*words, "--help", cwd=tmp_path)
    assert answer.code == 0
    assert "--json" in answer.out


def test_version(tmp_path: Path) -> None:
    answer = streamproc("--version", "--json", cwd=tmp_path)
    assert answer.code == 0
    assert answer.json["version"]


COMMON = {"README.md", "compose.yaml", "config.schema.json", "pipeline.yaml", "test_pipeline.py"}


@pytest.mark.parametrize(
    ("words", "own", "model_input", "passed"),
    [
        ([], {"decide.py", "features.py", "models/direction.onnx"}, "f float32[n, 24]", 2),
        (
            ["--template", "sensor"],
            {"send_windows.py", "models/activity.onnx"},
            "window float32[n, 100, 6]",
            3,
        ),
        (["--template", "market-quotes"], {"models/direction.onnx"}, "f float32[n, 7]", 2),
        (
            ["--template", "sensor-samples"],
            {"send_samples.py", "models/activity.onnx"},
            "window float32[n, 100, 6]",
            2,
        ),
    ],
    ids=["market", "sensor", "market-quotes", "sensor-samples"],
)
def test_a_new_project_works(
    words: list[str], own: set[str], model_input: str, passed: int, tmp_path: Path
) -> None:
    project = tmp_path / "mine"
    answer = streamproc("init", str(project), *words, "--json", cwd=tmp_path)
    assert answer.code == 0
    assert set(answer.json["files"]) == COMMON | own

    checked = streamproc("check", "--offline", "pipeline.yaml", "--json", cwd=project)
    assert (checked.code, checked.json["ok"], checked.json["warnings"]) == (0, True, [])
    assert checked.json["model"]["inputs"] == [model_input]

    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert f"{passed} passed" in tested.stdout


def test_every_template_is_a_pipeline() -> None:
    assert templates() == TEMPLATES.split("|")
    assert {MARKET.is_file(), SENSOR.is_file()} == {True}


def test_doctor_gives_findings(tmp_path: Path) -> None:
    answer = streamproc("doctor", "--json", cwd=tmp_path)
    findings = answer.json["findings"]
    assert answer.code == (0 if answer.json["ok"] else 1)
    assert {"python", "packages", "onnxruntime", "processor", "memory", "event loop"} <= set(
        findings
    )
    assert {f["verdict"] for f in findings.values()} <= {"ok", "note", "warning", "bad"}
    assert findings["event loop"]["found"] == "uvloop"
    assert "CPUExecutionProvider" in findings["onnxruntime"]["found"]


def test_doctor_looks_for_all_dependencies() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {d.split(">=")[0].replace("_", "-") for d in project["dependencies"]}
    assert set(NEEDED) == names


def test_schemas_are_listed_printed_and_written(tmp_path: Path) -> None:
    assert "decision" in streamproc("schema", cwd=tmp_path).out
    printed = json.loads(streamproc("schema", "decision", cwd=tmp_path).out)
    assert printed == json.loads(asset("schemas", "decision.schema.json").read_text())
    answer = streamproc("schema", "--out", "here", "--json", cwd=tmp_path)
    names = ("alert", "config", "decision", "ledger", "shadow")
    others = ["here/decision.avsc", "here/decision.proto"]
    assert answer.json["written"] == [f"here/{name}.schema.json" for name in names] + others
    of_avro = streamproc("schema", "decision-avro", cwd=tmp_path).out
    assert of_avro == (tmp_path / "here" / "decision.avsc").read_text()
    assert (tmp_path / "here" / "config.schema.json").is_file()


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m streamproc schema config | true"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""

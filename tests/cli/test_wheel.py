"""The wheel holds all that the commands need: unpacked elsewhere, it works without the checkout."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from streamproc.cli.init import TEMPLATES
from tests.cli.support import ROOT, environment, streamproc

PAGE_PARTS = ("page.html.jinja", "parts.html.jinja", "page.css")

pytest.importorskip("hatchling", reason="the wheel is built with hatchling, without a network")


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "--no-build-isolation"]
    built = subprocess.run(
        [*command, "--quiet", "--disable-pip-version-check", "--wheel-dir", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("streamproc-*.whl")
    target = folder / "site"
    with zipfile.ZipFile(wheel) as file:
        file.extractall(target)
    return target


def test_the_demo_works_from_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    pytest.importorskip("confluent_kafka")
    answer = streamproc(
        "demo", "--duration", "2s", "--json", cwd=tmp_path, env=environment(unpacked)
    )
    assert answer.code == 0, answer.err
    assert answer.json["verified"]["ok"]
    assert answer.json["consumed"] == 336
    assert "Latency over time" in (tmp_path / "streamproc-demo.html").read_text(encoding="utf-8")


def test_a_project_can_be_made_from_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    env = environment(unpacked)
    for name in TEMPLATES.split("|"):
        assert streamproc("init", name, "--template", name, cwd=tmp_path, env=env).code == 0
        words = ("check", "--offline", f"{name}/pipeline.yaml", "--json")
        answer = streamproc(*words, cwd=tmp_path, env=env)
        assert answer.code == 0, answer.err
    assert streamproc("schema", "decision", cwd=tmp_path, env=env).code == 0
    assert streamproc("--version", "--json", cwd=tmp_path, env=env).json["version"] == "0.1.0"


def test_nothing_that_is_not_meant_travels(unpacked: Path) -> None:
    names = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert not [n for n in names if n.startswith("tests/") or n.endswith(".pyc")]
    assert {
        "streamproc/_data/replay/market/LICENSE.hftbacktest.txt",
        "streamproc/_data/replay/market/ticks.jsonl.gz",
        "streamproc/_data/replay/sensor/LICENSE.seglearn.txt",
        "streamproc/_data/replay/sensor/exercises.npz",
        "streamproc/templates/market/models/direction.onnx",
        "streamproc/templates/sensor/models/activity.onnx",
    } <= names
    assert {f"streamproc/reports/templates/{name}" for name in PAGE_PARTS} <= names

"""The committed scenarios hold, on what they were recorded of and through a capture of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from streamproc.config import load, read_document
from streamproc.connectors.capture import CaptureMetadata, CaptureWriter
from streamproc.core import ConfigError, Duration, VirtualClock
from streamproc.replay.scenario import Assertions, Golden, Limit, Scenario, run_scenario
from streamproc.replay.scenario.recorded_batches import read_batches

FOLDER = Path(__file__).parents[3] / "replay" / "scenarios"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_it_holds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _own_modules(monkeypatch, path)
    result = run_scenario(read_document(path, Scenario), path.parent)
    assert [verdict for verdict in result.verdicts if not verdict.is_ok] == []
    assert any(verdict.name == "golden outcomes" for verdict in result.verdicts)


def test_there_is_one_of_each_kind_of_each_recording() -> None:
    kinds = ("burst", "corrupt", "late", "normal", "outage")
    assert [path.stem for path in FILES] == [
        f"{of}-{kind}" for of in ("market", "sensor") for kind in kinds
    ]


def test_a_capture_of_the_recording_comes_to_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = read_document(FOLDER / "market-corrupt.yaml", Scenario)
    _own_modules(monkeypatch, FOLDER / "market-corrupt.yaml")
    config = (FOLDER / asked.config).resolve()
    topics = tuple(load(config).config.source.topics)
    capture = tmp_path / "day.mcap"
    told = CaptureMetadata(pipeline="direction", recorded_by="import")
    with CaptureWriter(capture, told, clock=VirtualClock(), durable=False) as writer:
        for batch in read_batches(FOLDER / asked.recording, asked, topics):
            writer.records(batch)
    whole = replace(
        asked, recording=str(capture), config=str(config), start=Duration(0), length=None
    )
    whole = replace(
        whole, assert_=replace(asked.assert_, golden=str(FOLDER / str(asked.assert_.golden)))
    )
    result = run_scenario(whole, tmp_path)
    assert [verdict for verdict in result.verdicts if not verdict.is_ok] == []


def test_what_is_violated_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = read_document(FOLDER / "sensor-normal.yaml", Scenario)
    golden = Golden.read(FOLDER / str(asked.assert_.golden))
    other = replace(golden, counts={"on_time": 1}, outcomes="sha256:00")
    (tmp_path / "other.txt").write_text(other.text())
    wanted = Assertions(shed=Limit(min=1), golden=str(tmp_path / "other.txt"))
    result = run_scenario(replace(asked, assert_=wanted), FOLDER)
    assert not result.is_ok
    assert [verdict.name for verdict in result.verdicts if not verdict.is_ok] == [
        "shed",
        "golden counts",
        "golden outcomes",
    ]


def test_on_another_machine_the_bytes_are_not_compared(tmp_path: Path) -> None:
    asked = read_document(FOLDER / "sensor-normal.yaml", Scenario)
    golden = Golden.read(FOLDER / str(asked.assert_.golden))
    elsewhere = replace(golden, decisions="sha256:00", machine={"cpu_features": "another"})
    (tmp_path / "elsewhere.txt").write_text(elsewhere.text())
    wanted = replace(asked.assert_, golden=str(tmp_path / "elsewhere.txt"))
    result = run_scenario(replace(asked, assert_=wanted), FOLDER)
    assert result.is_ok
    assert "cpu_features another, here" in result.notes[0]


def test_it_must_not_be_measured() -> None:
    asked = read_document(FOLDER / "sensor-normal.yaml", Scenario)
    with pytest.raises(ConfigError, match="does not say how long batches take"):
        run_scenario(replace(asked, batch_time=()), FOLDER)


def test_a_golden_file_reads_back(tmp_path: Path) -> None:
    made = Golden(
        counts={"shed expired": 3},
        outcomes="sha256:1",
        decisions="sha256:2",
        machine={"numpy": "2"},
    )
    path = tmp_path / "g.txt"
    path.write_text(made.text())
    assert Golden.read(path) == made
    path.write_text("on_time 3\n")
    with pytest.raises(ConfigError, match=r"g\.txt:1: 'on_time 3' is no line"):
        Golden.read(path)


def _own_modules(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Each template has modules of the same names: none of another's may be left."""
    config = (path.parent / read_document(path, Scenario).config).resolve()
    monkeypatch.syspath_prepend(str(config.parent))
    for name in ("features", "decide"):
        monkeypatch.delitem(__import__("sys").modules, name, raising=False)

"""``streamproc drift``, as a user calls it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.cli.support import call
from tests.cli.test_export_training import CONFIG
from tests.replay.training.makings import EVENTS, honest, live, of

pytestmark = pytest.mark.usefixtures("wide")


def test_a_reference_of_a_recording_and_of_training_data_and_a_recording_against_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    recording, config = tmp_path / "day.mcap", tmp_path / "p.yaml"
    asyncio.run(live(of(honest), recording))
    config.write_text(CONFIG.replace("FUNCTION", "honest"))
    one, other = tmp_path / "one.json", tmp_path / "other.json"
    answer = call(capsys, "drift", "reference", recording, config, "--out", one, "--json")
    assert answer.code == 0
    assert answer.json["events"] == EVENTS

    parquet = tmp_path / "f.parquet"
    assert call(capsys, "export", "--training", recording, config, "--out", parquet).code == 0
    assert call(capsys, "drift", "reference", parquet, "--out", other).code == 0
    assert json.loads(one.read_text()) == json.loads(other.read_text())

    same = call(capsys, "drift", "compare", recording, config, "--reference", one, "--json")
    assert same.code == 0
    assert {f["psi"] for f in same.json["features"]} == {0.0}
    moved = json.loads(one.read_text())
    moved["features"][0]["edges"] = [edge + 10 for edge in moved["features"][0]["edges"]]
    one.write_text(json.dumps(moved))
    found = call(capsys, "drift", "compare", recording, config, "--reference", one)
    assert found.code == 1
    assert "!" in found.out
    assert call(capsys, "drift", "reference", recording).code == 2

"""``export``, ``import`` and the mistakes that one can make with ``record``."""

import json
from pathlib import Path

import pytest

from streamproc.connectors.capture import CaptureReader
from tests.cli.support import MARKET, call
from tests.support.captures import write_small

pytestmark = pytest.mark.usefixtures("wide")


def test_export_says_what_is_in_a_recording(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_small(tmp_path / "f.mcap")
    answer = call(capsys, "export", tmp_path / "f.mcap")
    assert answer.code == 1  # it has a gap
    for words in ("pipeline market", "records/ticks/3", "missing since", "2 records", "queue_full"):
        assert words in answer.out
    told = call(capsys, "export", tmp_path / "f.mcap", "--json").json
    assert told["channels"]["outcomes"] == 4
    assert told["models"][0]["digest"] == "sha256:0123456789ab"
    assert told["truncated"] is None


def test_export_says_that_a_file_was_cut(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_small(tmp_path / "f.mcap")
    path = tmp_path / "f.mcap"
    path.write_bytes(path.read_bytes()[:4000])
    answer = call(capsys, "export", path)
    assert answer.code == 1
    assert "is cut at byte 4000" in answer.out


def test_export_writes_parquet(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    write_small(tmp_path / "f.mcap")
    told = call(capsys, "export", tmp_path / "f.mcap", "--parquet", tmp_path / "out", "--json").json
    assert told["written"] == dict.fromkeys(
        ("records.parquet", "decisions.parquet", "outcomes.parquet"), 12
    )


def test_import_makes_a_recording(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lines = tmp_path / "events of today.jsonl"
    lines.write_text('{"id": 1, "t": 5}\n{"id": 2, "t": 4}\n')
    out = tmp_path / "f.mcap"
    answer = call(
        capsys, "import", lines, "--out", out, "--time", "t", "--unit", "s", "--key", "id", "--json"
    )
    assert (answer.code, answer.json) == (0, {"records": 2, "held": 1, "file": str(out)})
    (batch,) = CaptureReader(out).records()
    assert batch.source.topic == "events-of-today"
    assert batch.key == [b"1", b"2"]
    assert [json.loads(value or b"")["t"] for value in batch.value] == [5, 4]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["export", "{there}/none.mcap"], "cannot read"),
        (["export", "{there}/bad.jsonl"], "is no MCAP file"),
        (["export", "{there}"], "no recording in"),
        (["import", "{there}/none.jsonl", "--out", "{there}/f.mcap"], "cannot read"),
        (["import", "{there}/bad.jsonl", "--out", "{there}/f.mcap"], "bad.jsonl:1: no record"),
        (["import", "{there}/empty.jsonl", "--out", "{there}/f.mcap"], "has no lines"),
        (["import", "{there}/bad.jsonl", "--out", "{there}/bad.jsonl"], "is there already"),
        (["record", "{market}", "--out", "{there}/bad.jsonl"], "is there already"),
        (["record", "{market}", "--out", "{there}/f.mcap", "--from", "when"], "write now, earliest"),
        (["record", "{market}"], "Missing option '--out'"),
    ],
)  # fmt: skip
def test_mistakes_are_said_and_leave_nothing_behind(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str], said: str
) -> None:
    (tmp_path / "bad.jsonl").write_text("no json\n")
    (tmp_path / "empty.jsonl").write_text("\n")
    answer = call(capsys, *(word.format(there=tmp_path, market=MARKET) for word in words))
    assert answer.code == 2
    assert said in answer.err
    assert "Traceback" not in answer.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.jsonl", "empty.jsonl"]

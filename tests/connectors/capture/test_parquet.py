"""A recording as Parquet says the same."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from streamproc.connectors.capture import CaptureReader, CaptureWriter, export_parquet
from streamproc.core import ConfigError
from tests.support.captures import METADATA, START_NS, batch_of, write_small


def test_everything_is_there(tmp_path: Path) -> None:
    write_small(tmp_path / "f.mcap")
    out = tmp_path / "out"
    assert export_parquet(CaptureReader(tmp_path / "f.mcap"), out) == {
        "records.parquet": 12,
        "decisions.parquet": 12,
        "outcomes.parquet": 12,
    }
    records = pq.read_table(out / "records.parquet")
    assert records["offset"].to_pylist() == list(range(12))
    assert records["headers"][1].as_py() == [{"name": "h", "value": b"v"}]
    assert records["consumed"].cast("int64").to_pylist()[:3] == [START_NS] * 3
    decisions = pq.read_table(out / "decisions.parquet")
    assert decisions["id"].to_pylist() == [f"ticks/3/{n}" for n in range(12)]
    assert set(decisions["outcome"].to_pylist()) == {"on_time"}
    outcomes = pq.read_table(out / "outcomes.parquet")
    assert outcomes["lane"].to_pylist()[:3] == ["urgent", "default", "urgent"]
    assert outcomes["variant"].to_pylist() == ["full"] * 12
    assert outcomes["started"].cast("int64").to_pylist()[0] == START_NS - 2_000_000


def test_what_is_absent_is_null_and_empty_is_empty(tmp_path: Path) -> None:
    with CaptureWriter(tmp_path / "f.mcap", METADATA) as writer:
        writer.records(batch_of(2, key=[None, b""], value=[None, b""]))
    assert export_parquet(CaptureReader(tmp_path / "f.mcap"), tmp_path) == {"records.parquet": 2}
    table = pq.read_table(tmp_path / "records.parquet")
    assert table["key"].to_pylist() == [None, b""]
    assert table["value"].to_pylist() == [None, b""]


def test_files_that_are_there_are_not_replaced(tmp_path: Path) -> None:
    write_small(tmp_path / "f.mcap")
    export_parquet(CaptureReader(tmp_path / "f.mcap"), tmp_path)
    with pytest.raises(ConfigError, match=r"records\.parquet is there already"):
        export_parquet(CaptureReader(tmp_path / "f.mcap"), tmp_path)

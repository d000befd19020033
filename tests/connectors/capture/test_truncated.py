"""A file that is cut or damaged anywhere is read as far as it goes, and says what is missing."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.exceptions import EndOfFile
from mcap.reader import SeekingReader
from mcap.records import Footer, McapRecord, Message
from mcap.stream_reader import StreamReader

from streamproc.connectors.capture import CaptureReader, CaptureWriter
from tests.support.captures import METADATA, START_NS, batch_of, write_small


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "f.mcap"
    write_small(path)
    return path.read_bytes()


def offsets_in(path: Path) -> list[int]:
    return [n for batch in CaptureReader(path).records() for n in batch.offset.tolist()]


def read_all(path: Path) -> list[int]:
    """Everything there is; only the records are looked at."""
    capture = CaptureReader(path)
    for some in (capture.decisions(), capture.outcomes(), capture.schedule(), capture.gaps()):
        for _ in some:
            pass
    assert capture.summary.bytes_total == path.stat().st_size
    return offsets_in(path)


def test_cut_at_every_byte(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "f.mcap.part"
    path.write_bytes(whole)
    everything = read_all(path)
    assert everything == list(range(12))
    summary_at = _summary_place(path)
    reached = 0
    for length in (*range(summary_at), *range(summary_at, len(whole), 97), len(whole) - 1):
        path.write_bytes(whole[:length])
        capture = CaptureReader(path)
        found = [n for batch in capture.records() for n in batch.offset.tolist()]
        assert found == everything[: len(found)]
        assert len(found) >= reached  # a longer file never gives less
        reached = len(found)
        assert path.name in str(capture.summary.truncated)
        assert capture.summary.records_total == reached
    assert reached == 12


def test_a_chunk_that_is_cut_gives_what_can_be_unpacked(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "f.mcap"
    with CaptureWriter(path, METADATA, chunk_bytes=8 << 20, chunk_ns=1 << 60) as writer:
        for turn in range(40):
            writer.records(batch_of(50, first=50 * turn, value=[rng.bytes(500) for _ in range(50)]))
    path.write_bytes(path.read_bytes()[:700_000])
    found = offsets_in(path)
    assert found == list(range(len(found)))
    assert len(found) > 1000
    assert "incomplete" in str(CaptureReader(path).summary.truncated)


def test_a_damaged_chunk_is_passed_over(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "f.mcap"
    path.write_bytes(whole)
    chunks = _chunk_places(path)
    assert len(chunks) >= 3
    damaged = bytearray(whole)
    damaged[chunks[1] + 100] ^= 0xFF
    path.write_bytes(damaged)
    assert offsets_in(path) == [*range(6), *range(9, 12)]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_is_damaged_never_crashes(
    tmp_path: Path, whole: bytes, data: st.DataObject
) -> None:
    damaged = bytearray(whole)
    for place in data.draw(st.lists(st.integers(8, len(whole) - 1), min_size=1, max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    path = tmp_path / "f.mcap"
    path.write_bytes(damaged[: data.draw(st.integers(8, len(whole)))])
    read_all(path)


def test_the_tools_of_mcap_read_a_file_that_was_cut(tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "f.mcap.part"
    path.write_bytes(whole)
    second = _chunk_places(path)[1]
    path.write_bytes(whole[: second + 50])
    found: list[McapRecord] = []
    with path.open("rb") as file, pytest.raises((EndOfFile, struct.error)):
        found.extend(StreamReader(file).records)
    times = [record.log_time for record in found if isinstance(record, Message)]
    assert times[0] == START_NS
    assert len(times) == 3 + 3 + 1 + 1 + 3


def _summary_place(path: Path) -> int:
    """Where the data ends, and the summary begins."""
    with path.open("rb") as file:
        footer = [r for r in StreamReader(file).records if isinstance(r, Footer)]
    return footer[0].summary_start


def _chunk_places(path: Path) -> Sequence[int]:
    with path.open("rb") as file:
        summary = SeekingReader(file).get_summary()
    assert summary is not None
    return [index.chunk_start_offset for index in summary.chunk_indexes]

"""Recordings say what was written, to us and to the tools of MCAP."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from mcap.reader import NonSeekingReader, make_reader

from streamproc.connectors.capture import (
    CaptureReader,
    CaptureWriter,
    Gap,
    Rotation,
    SentBatch,
    proto_text,
)
from streamproc.core import ConfigError, Outcome, RecordBatch, TopicPartition, VirtualClock
from tests.support.captures import (
    METADATA,
    SOURCE,
    START_NS,
    assert_same_comparisons,
    batch_of,
    comparisons_of,
    decision_of,
    outcomes_of,
    write_small,
)

ROOT = Path(__file__).parents[3]


def assert_same(ours: RecordBatch, theirs: RecordBatch) -> None:
    assert ours.offset.tolist() == theirs.offset.tolist()
    assert ours.timestamp_ns.tolist() == theirs.timestamp_ns.tolist()
    for name in ("source", "key", "value", "arrival_ns", "end_position", "behind"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.timestamp_type == theirs.timestamp_type
    assert {row: list(h) for row, h in ours.headers.items()} == theirs.headers


def test_records_come_back_as_they_were_fetched(tmp_path: Path) -> None:
    odd = batch_of(
        4,
        first=10,
        key=[None, b"", b"k", b"\xff\x00"],
        value=[b"", None, b"\x00", b"{}"],
        timestamp_ns=np.array([-1, 0, 5, 1 << 62]),
        headers={0: [("a", b"1"), ("a", None), ("b", b"")], 3: [("a", b"1"), ("a", b"1")]},
        end_position=99,
        behind=7,
        timestamp_type=1,
    )
    same_instant = batch_of(2, first=14)
    elsewhere = batch_of(1, source=TopicPartition("a/b.c", 0))
    with CaptureWriter(tmp_path / "f.mcap", METADATA) as writer:
        for batch in (odd, same_instant, elsewhere):
            writer.records(batch)
    with CaptureReader(tmp_path / "f.mcap") as capture:
        for ours, theirs in zip((odd, same_instant, elsewhere), capture.records(), strict=True):
            assert_same(ours, theirs)
        assert [b.source for b in capture.records(topics=["a/b.c"])] == [elsewhere.source]
        assert capture.summary.counts == {"records/ticks/3": 6, "records/a/b.c/0": 1}
        assert capture.summary.topics == ["a/b.c", "ticks"]
        assert capture.summary.truncated is None


def test_decisions_outcomes_schedule_and_gaps_come_back(tmp_path: Path) -> None:
    gap = Gap(START_NS, START_NS + 5, "queue_full", {"records": 12, "outcomes": 3})
    undecided = replace(
        outcomes_of(2),
        outcome=np.array([3, 4], np.uint8),
        reason="expired",
        row=np.array([-1, 2]),
        lane=-1,
        variant=None,
        admitted_ns=None,
        started_ns=None,
        decided_ns=None,
        handed_ns=None,
    )
    with CaptureWriter(tmp_path / "f.mcap", METADATA) as writer:
        writer.decisions([decision_of(1), decision_of(2, row=4)])
        writer.outcomes(outcomes_of(3))
        writer.outcomes(undecided)
        writer.schedule(b"\x00anything", START_NS, version=7)
        writer.gap(gap)
    with CaptureReader(tmp_path / "f.mcap") as capture:
        decisions = list(capture.decisions())
        assert decisions == [decision_of(1), decision_of(2, row=4)]
        assert [d.id for d in decisions] == ["ticks/3/1", "ticks/3/2/4"]
        decided, given_up = capture.outcomes()
        for name in ("offset", "event_time_ns", "arrival_ns", "admitted_ns", "deadline_ns", "lane"):
            assert getattr(decided, name).tolist() == getattr(outcomes_of(3), name).tolist()
        assert (decided.started_ns, decided.variant, decided.row) == (START_NS - 2_000_000, 0, None)
        assert given_up.row is not None
        assert given_up.row.tolist() == [-1, 2]
        assert given_up.outcome.tolist() == [3, 4]
        assert np.asarray(given_up.lane).tolist() == [-1, -1]
        assert (given_up.admitted_ns, given_up.started_ns, given_up.variant) == (None, None, None)
        assert [tuple(entry) for entry in capture.schedule()] == [(START_NS, 7, b"\x00anything")]
        assert list(capture.gaps()) == [gap]
        assert capture.summary.gaps == (gap,)


def test_comparisons_come_back(tmp_path: Path) -> None:
    written = [comparisons_of(0.5, 0.7), comparisons_of(0.1, candidate="v3", published=True, row=2)]
    with CaptureWriter(tmp_path / "f.mcap", METADATA) as writer:
        for compared in written:
            writer.comparisons(compared)
    capture = CaptureReader(tmp_path / "f.mcap")
    assert capture.summary.counts == {"comparisons": 2}
    for ours, theirs in zip(written, capture.comparisons(), strict=True):
        assert_same_comparisons(ours, theirs)


@pytest.mark.parametrize("lane", [0, -1, np.array([1, 0, -1])], ids=["one", "unknown", "each"])
@pytest.mark.parametrize("row", [None, np.array([-1, 0, 3])], ids=["records", "rows"])
@pytest.mark.parametrize("offset", [None, np.array([7, 8, 9])], ids=["several", "single"])
def test_what_was_sent_together_reads_as_one_by_one(
    tmp_path: Path, offset: Any, row: Any, lane: Any
) -> None:
    sent = SentBatch(
        START_NS,
        "decisions",
        SOURCE,
        offset,
        row,
        Outcome.DEGRADED,
        "",
        lane,
        0,
        [b"k", None, b""],
        [b"v", b"", None],
        [("streamproc-outcome", b"degraded")],
        {1: [("traceparent", b"00-1")]},
    )
    with CaptureWriter(tmp_path / "f.mcap", METADATA) as writer:
        writer.sent(sent)
    one_by_one = list(sent.decisions(METADATA.lanes, ["full"]))
    assert len(one_by_one) == 3
    assert list(CaptureReader(tmp_path / "f.mcap").decisions()) == one_by_one


def test_metadata_comes_back(tmp_path: Path) -> None:
    write_small(tmp_path / "f.mcap")
    told = CaptureReader(tmp_path / "f.mcap").metadata
    assert replace(told, started_ns=0) == METADATA


def test_a_window_of_time_gives_what_lies_in_it(tmp_path: Path) -> None:
    write_small(tmp_path / "f.mcap")
    capture = CaptureReader(tmp_path / "f.mcap")
    from_ns, to_ns = START_NS + 100_000_000, START_NS + 300_000_000
    assert [b.arrival_ns for b in capture.records(start_ns=from_ns, end_ns=to_ns)] == [
        from_ns,
        from_ns + 100_000_000,
    ]
    assert len(list(capture.outcomes(start_ns=to_ns))) == 1
    assert len(list(capture.decisions(end_ns=from_ns))) == 3


def test_the_tools_of_mcap_read_it(tmp_path: Path) -> None:
    """With nothing of ours: the schema in the file is enough to decode the messages."""
    batches = write_small(tmp_path / "f.mcap")
    with (tmp_path / "f.mcap").open("rb") as file:
        found = []
        for schema, channel, message in make_reader(file).iter_messages(log_time_order=False):
            assert schema is not None
            files = descriptor_pb2.FileDescriptorSet.FromString(schema.data)
            pool = descriptor_pool.DescriptorPool()
            for described in files.file:
                pool.Add(described)
            kinds = message_factory.GetMessageClassesForFiles([f.name for f in files.file], pool)
            read = kinds[schema.name].FromString(message.data)
            if channel.topic == "records/ticks/3":
                assert channel.message_encoding == schema.encoding == "protobuf"
                found.append((read.offset, read.value, message.log_time))
    assert found == [
        (offset, value, batch.arrival_ns)
        for batch in batches
        for offset, value in zip(batch.offset.tolist(), batch.value, strict=True)
    ]
    with (tmp_path / "f.mcap").open("rb") as file:
        assert len(list(NonSeekingReader(file).iter_messages())) == 4 * (3 + 3 + 1 + 1) + 1


def test_chunks_are_cut_by_time(tmp_path: Path) -> None:
    """What is older than the chunk's time is in the file, whether or not more comes."""
    clock = VirtualClock(START_NS)
    writer = CaptureWriter(tmp_path / "f.mcap", METADATA, clock=clock)
    part = tmp_path / "f.mcap.part"
    writer.records(batch_of(3))
    assert not list(CaptureReader(part).records())
    clock.advance(1_000_000_000)
    writer.tick()
    assert [len(b) for b in CaptureReader(part).records()] == [3]
    assert not (tmp_path / "f.mcap").exists()
    writer.close()
    assert not part.exists()
    assert CaptureReader(tmp_path / "f.mcap").summary.truncated is None


def test_files_rotate_by_size_and_age(tmp_path: Path) -> None:
    clock = VirtualClock(START_NS)
    rotation = Rotation(bytes_max=20_000, age_max_ns=60_000_000_000)
    rng = np.random.default_rng(0)
    with CaptureWriter(tmp_path / "f.mcap", METADATA, clock=clock, rotation=rotation) as writer:
        for turn in range(8):
            writer.records(batch_of(5, first=5 * turn, value=[rng.bytes(1000) for _ in range(5)]))
            clock.advance(500_000_000)
        clock.advance(60_000_000_000)
        writer.tick()
        clock.advance(60_000_000_000)
        writer.tick()  # nothing was written since: no file for nothing
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"f-{part:04d}.mcap" for part in range(1, len(names) + 1)]
    assert len(names) >= 3
    capture = CaptureReader(tmp_path)
    offsets = [offset for batch in capture.records() for offset in batch.offset.tolist()]
    assert offsets == list(range(40))
    assert [f.name for f in capture.summary.files] == names


def test_recordings_of_several_workers_are_merged_by_time(tmp_path: Path) -> None:
    for worker in range(2):
        told = replace(METADATA, recording=f"worker {worker}")
        with CaptureWriter(tmp_path / f"w{worker}.mcap", told) as writer:
            for turn in range(3):
                writer.records(batch_of(1, first=turn, arrival_ns=START_NS + 2 * turn + worker))
    arrivals = [b.arrival_ns - START_NS for b in CaptureReader(tmp_path).records()]
    assert arrivals == list(range(6))


def test_a_file_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    write_small(tmp_path / "f.mcap")
    with pytest.raises(ConfigError, match=r"f\.mcap is there already"):
        CaptureWriter(tmp_path / "f.mcap", METADATA)


def test_what_is_no_recording_is_said(tmp_path: Path) -> None:
    (tmp_path / "f.mcap").write_bytes(b"PAR1 and more")
    with pytest.raises(ConfigError, match="is no MCAP file"):
        CaptureReader(tmp_path / "f.mcap")
    with pytest.raises(ConfigError, match="cannot read"):
        CaptureReader(tmp_path / "not there.mcap")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="no recording in"):
        CaptureReader(tmp_path / "empty")


def test_the_schema_on_the_disk_is_the_codes() -> None:
    assert (ROOT / "schemas" / "capture.proto").read_text(encoding="utf-8") == proto_text()


def test_a_long_recording_is_read_in_little_memory(tmp_path: Path) -> None:
    """Twenty times the records take no more memory: a chunk at a time."""
    rng = np.random.default_rng(0)
    for name, turns in (("short", 10), ("long", 200)):
        with CaptureWriter(tmp_path / f"{name}.mcap", METADATA, durable=False) as writer:
            for turn in range(turns):
                value = [rng.bytes(200) for _ in range(256)]
                writer.records(batch_of(256, first=256 * turn, value=value, arrival_ns=turn))
    peaks = {
        name: int(
            subprocess.run(
                [sys.executable, "-c", _PEAK, str(tmp_path / f"{name}.mcap")],
                check=True,
                capture_output=True,
            ).stdout
        )
        for name in ("short", "long")
    }
    assert peaks["long"] - peaks["short"] < 3 << 20  # of 10 MB more


_PEAK = """
import sys, tracemalloc
from streamproc.connectors.capture import CaptureReader
tracemalloc.start()
for batch in CaptureReader(sys.argv[1]).records():
    pass
print(tracemalloc.get_traced_memory()[1])
"""

"""A recording of any kind as what fetches gave of it."""

import zlib
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np

from streamproc.connectors.capture import CaptureReader
from streamproc.core import RecordBatch, TopicPartition
from streamproc.replay.files import open_recording
from streamproc.replay.recorded import Recorded
from streamproc.replay.scenario.options import Scenario

_CAPTURE = ".mcap"


def read_batches(path: Path, scenario: Scenario, topics: tuple[str, ...]) -> list[RecordBatch]:
    """What is played, in the order of its arrival.

    Args:
        path: the recording.
        scenario: which part of it is meant, and how it is fetched.
        topics: what the pipeline reads; a recording that names no topic is of the first.

    Raises:
        ConfigError: it cannot be read.
    """
    if path.suffix == _CAPTURE:
        reader = CaptureReader(path)
        start_ns = (reader.summary.first_ns or 0) + scenario.start
        end_ns = None if scenario.length is None else start_ns + scenario.length
        return list(reader.records(frozenset(topics) or None, start_ns, end_ns))
    return list(_fetched(path, scenario, topics[0]))


def _fetched(path: Path, scenario: Scenario, topic: str) -> Iterator[RecordBatch]:
    """Events of a recording without partitions: those of one partition that come within so long, together."""
    recording = open_recording(path)
    stamp_ns = recording.timestamp_ns()
    start_ns = int(stamp_ns[0]) + scenario.start
    end_ns = int(stamp_ns[-1]) + 1 if scenario.length is None else start_ns + scenario.length
    begin, end = stamp_ns.searchsorted([start_ns, end_ns]).tolist()
    events = [event for number, event in enumerate(recording.events()) if begin <= number < end]
    positions = [0] * scenario.partitions
    fetch_ns = max(1, int(scenario.fetch))
    numbered = zip((stamp_ns[begin:end] // fetch_ns).tolist(), range(len(events)), strict=True)
    for fetch, group in groupby(numbered, key=lambda one: one[0]):
        by_partition: dict[int, list[int]] = {}
        for _, row in group:
            by_partition.setdefault(_partition(events[row], scenario.partitions), []).append(row)
        for partition, rows in sorted(by_partition.items()):
            first = positions[partition]
            positions[partition] = first + len(rows)
            yield RecordBatch(
                source=TopicPartition(topic, partition),
                offset=np.arange(first, first + len(rows)),
                timestamp_ns=stamp_ns[begin:end][rows],
                key=[events[row].key for row in rows],
                value=[events[row].value for row in rows],
                headers={},
                arrival_ns=(fetch + 1) * fetch_ns + scenario.lag,
                end_position=first + len(rows),
            )


def _partition(event: Recorded, partitions: int) -> int:
    return zlib.crc32(event.key or b"") % partitions

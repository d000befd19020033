"""Small recordings for tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from streamproc.connectors.capture import (
    CaptureMetadata,
    CaptureWriter,
    Comparisons,
    Gap,
    OutcomeColumns,
    RecordedDecision,
    RecordedModel,
)
from streamproc.core import Headers, Outcome, RecordBatch, TopicPartition, VirtualClock

START_NS = 1_700_000_000_000_000_000
SOURCE = TopicPartition("ticks", 3)
METADATA = CaptureMetadata(
    pipeline="market",
    recorded_by="service",
    configuration="name: market\n",
    models=(RecordedModel("full", "sha256:0123456789ab", "CPUExecutionProvider"),),
    lanes=("urgent", "default"),
    machine={"threads": "1", "cpu_flags": "avx2"},
    source="localhost:9092",
    recording="r1",
)


def batch_of(
    count: int,
    *,
    first: int = 0,
    source: TopicPartition = SOURCE,
    arrival_ns: int = START_NS,
    headers: dict[int, Headers] | None = None,
    **columns: Any,
) -> RecordBatch:
    """A fetched batch with offsets from ``first``."""
    return RecordBatch(
        source=source,
        offset=np.arange(first, first + count),
        timestamp_ns=columns.get("timestamp_ns", np.full(count, arrival_ns - 1_000_000)),
        key=columns.get("key", [f"k{row}".encode() for row in range(count)]),
        value=columns.get("value", [f'{{"n":{first + row}}}'.encode() for row in range(count)]),
        headers=headers or {},
        arrival_ns=arrival_ns,
        end_position=columns.get("end_position", first + count),
        behind=columns.get("behind", 0),
        timestamp_type=columns.get("timestamp_type", 0),
    )


def comparisons_of(
    *scores: float, candidate: str = "v2", published: bool = False, row: int | None = None
) -> Comparisons:
    """The model decided 0.5 about each event, and the candidate this."""
    count = len(scores)
    return Comparisons(
        START_NS,
        SOURCE,
        np.arange(count),
        None if row is None else np.full(count, row),
        candidate,
        "full",
        published,
        [b'{"output":{"score":0.5}}'] * count,
        [b'{"output":{"score":%g}}' % score for score in scores],
        np.array([score != 0.5 for score in scores]),
    )


def assert_same_comparisons(ours: Comparisons, theirs: Comparisons) -> None:
    """Both tell the same."""
    for mine, its in zip(ours, theirs, strict=True):
        assert (mine.tolist() if isinstance(mine, np.ndarray) else mine) == (
            its.tolist() if isinstance(its, np.ndarray) else its
        )


def decision_of(offset: int, *, log_time_ns: int = START_NS, **values: Any) -> RecordedDecision:
    """A decision about one record."""
    return RecordedDecision(
        log_time_ns,
        "decisions",
        SOURCE,
        offset,
        values.get("row"),
        values.get("outcome", Outcome.ON_TIME),
        variant="full",
        key=b"k",
        value=values.get("value", f'{{"id":"ticks/3/{offset}"}}'.encode()),
        headers=[("streamproc-outcome", b"on_time")],
    )


def outcomes_of(count: int, *, first: int = 0, at_ns: int = START_NS) -> OutcomeColumns:
    """Events that were decided in time."""
    return OutcomeColumns(
        source=SOURCE,
        offset=np.arange(first, first + count),
        outcome=np.zeros(count, np.uint8),
        lane=np.arange(count) % 2,
        variant=0,
        event_time_ns=np.full(count, at_ns - 5_000_000),
        arrival_ns=np.full(count, at_ns - 3_000_000),
        admitted_ns=np.full(count, at_ns - 2_500_000),
        deadline_ns=np.full(count, at_ns + 20_000_000),
        started_ns=at_ns - 2_000_000,
        decided_ns=at_ns - 1_500_000,
        handed_ns=at_ns - 1_000_000,
        acknowledged_ns=at_ns,
    )


def write_small(path: Path, **options: Any) -> Sequence[RecordBatch]:
    """A recording of everything that there is, in a few chunks; gives its batches."""
    clock = VirtualClock(START_NS)
    batches = []
    with CaptureWriter(path, METADATA, clock=clock, durable=False, **options) as writer:
        for turn in range(4):
            at_ns = START_NS + turn * 100_000_000
            batch = batch_of(3, first=3 * turn, arrival_ns=at_ns, headers={1: [("h", b"v")]})
            batches.append(batch)
            writer.records(batch)
            writer.decisions(decision_of(n, log_time_ns=at_ns) for n in batch.offset.tolist())
            writer.outcomes(outcomes_of(3, first=3 * turn, at_ns=at_ns))
            writer.schedule(f"turn {turn}".encode(), at_ns)
            clock.advance(500_000_000)
        writer.gap(Gap(START_NS, START_NS + 7, "queue_full", {"records": 2}))
    return batches

"""What goes to the recorder's process comes out as it was."""

from dataclasses import replace

import numpy as np

from streamproc.connectors.capture import Gap, SentBatch, frames
from streamproc.core import Outcome, TopicPartition
from tests.support.captures import (
    SOURCE,
    START_NS,
    assert_same_comparisons,
    batch_of,
    comparisons_of,
    decision_of,
    outcomes_of,
)


def through(*items: frames.Item) -> list[frames.Item]:
    """Items that went through a channel that gives a few bytes at a time."""
    data = frames.frame(list(items))
    unframer = frames.Unframer()
    found = [c for n in range(0, len(data), 7) for c in unframer.take(data[n : n + 7])]
    assert len(found) == 1
    read: list[frames.Item] = frames.read(found[0])
    return read


def test_records() -> None:
    batch = batch_of(
        3,
        key=[b"a", None, b""],
        value=[b"", None, b"x"],
        headers={2: (("h", None), ("h", b"1"))},
        end_position=17,
        behind=4,
        timestamp_type=1,
    )
    (item,) = through(frames.pack_records(batch))
    read = frames.unpack_records(item)
    assert item[1] == 3
    assert read.offset.tolist() == batch.offset.tolist()
    assert read.timestamp_ns.tolist() == batch.timestamp_ns.tolist()
    assert read.headers == {2: [("h", None), ("h", b"1")]}
    same = ("source", "key", "value", "arrival_ns", "end_position", "behind", "timestamp_type")
    assert [getattr(read, n) for n in same] == [getattr(batch, n) for n in same]


def test_sent() -> None:
    sent = SentBatch(
        START_NS,
        "decisions",
        SOURCE,
        np.array([5, 6]),
        np.array([-1, 2]),
        Outcome.SHED,
        "expired",
        np.arange(8)[::4],  # does not lie in memory as one piece
        1,
        [b"k", None],
        [b"v", None],
        (("streamproc-outcome", b"shed"),),
        {1: [("traceparent", b"00-")]},
    )
    (item,) = through(frames.pack_sent(sent))
    first, second = frames.unpack_decisions(item, ["urgent", "b", "c", "d", "default"], ["f", "q"])
    assert (first.id, second.id) == ("ticks/3/5", "ticks/3/6/2")
    assert (first.lane, second.lane, first.variant) == ("urgent", "default", "q")
    assert (first.outcome, first.reason, first.value) == (Outcome.SHED, "expired", b"v")
    assert list(second.headers) == [("streamproc-outcome", b"shed"), ("traceparent", b"00-")]


def test_a_record_that_tells_of_several_inputs_has_no_offset() -> None:
    sent = SentBatch(
        START_NS, "d", SOURCE, None, np.array([1, 2]), Outcome.ON_TIME, "", 0, 0, [None], [b"v"]
    )
    (item,) = through(frames.pack_sent(sent))
    (decision,) = frames.unpack_sent(item).decisions((), ("full",))
    assert (decision.offset, decision.row, decision.id, decision.lane) == (None, None, "", "")


def test_decisions_that_were_read() -> None:
    read = [
        decision_of(1)._replace(position=(2, 77)),
        decision_of(2, row=3, outcome=Outcome.LATE)._replace(offset=None, value=None),
    ]
    (item,) = through(frames.pack_decisions(read))
    assert item[:2] == ("decisions", 2)
    assert list(frames.unpack_decisions(item, (), ())) == read


def test_outcomes() -> None:
    decided = outcomes_of(4)
    bare = replace(
        decided,
        row=np.array([0, 1, 2, 3]),
        lane=-1,
        variant=None,
        event_time_ns=None,
        admitted_ns=None,
        started_ns=None,
        reason="codel",
    )
    first, second = map(
        frames.unpack_outcomes, through(*map(frames.pack_outcomes, (decided, bare)))
    )
    for read, written in ((first, decided), (second, bare)):
        for name in OUTCOME_COLUMNS:
            ours, theirs = getattr(written, name), getattr(read, name)
            assert (ours is None) == (theirs is None), name
            assert ours is None or ours.tolist() == theirs.tolist(), name
        for name in ("source", "reason", "variant", "started_ns", "decided_ns", "handed_ns"):
            assert getattr(read, name) == getattr(written, name), name
    assert second.lane == -1


OUTCOME_COLUMNS = (
    *("offset", "outcome", "row", "event_time_ns", "arrival_ns"),
    *("admitted_ns", "deadline_ns"),
)


def test_schedule_and_gaps() -> None:
    gap = Gap(1, 2, "queue_full", {"records": 3})
    entry, missing = through(frames.pack_schedule(b"\x00", 5, 7), frames.pack_gap(gap))
    assert entry == ("schedule", 1, b"\x00", 5, 7)
    assert frames.unpack_gap(missing) == gap
    assert missing[1] == 0  # a gap is no event that could be lost


def test_partitions_come_back_as_such() -> None:
    (item,) = through(frames.pack_records(batch_of(1, source=TopicPartition("a/b", 2))))
    assert frames.unpack_records(item).source == TopicPartition("a/b", 2)


def test_comparisons() -> None:
    for compared in (comparisons_of(0.5, 0.7), comparisons_of(0.5, published=True, row=3)):
        (item,) = through(frames.pack_comparisons(compared))
        assert item[:2] == (frames.COMPARISONS, len(compared.differs))
        assert_same_comparisons(frames.unpack_comparisons(item), compared)

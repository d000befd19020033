"""Which events are traced, and under which ids."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.core import Headers, TopicPartition
from streamproc.telemetry import Sampler
from streamproc.telemetry.sampling import is_sampled, parent_of

SOURCE = TopicPartition("ticks", 3)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
SAMPLED = f"00-{TRACE}-{SPAN}-01".encode()
UNSAMPLED = f"00-{TRACE}-{SPAN}-00".encode()


def headers(**by_row: bytes | None) -> dict[int, Headers]:
    return {int(row[1:]): [("other", b"x"), ("traceparent", v)] for row, v in by_row.items()}


def test_a_share_of_the_events_is_chosen_and_always_the_same() -> None:
    sampler, again = Sampler("p", 0.01), Sampler("p", 0.01)
    offset = np.arange(200_000)
    chosen = sampler.chosen(SOURCE, offset, None, {})
    assert 1_800 < len(chosen) < 2_200
    pieces = [
        start + row
        for start in range(0, len(offset), 777)
        for row in again.chosen(SOURCE, offset[start : start + 777], None, {})
    ]
    assert pieces == chosen


def test_pipelines_partitions_and_rows_are_sampled_apart() -> None:
    offset = np.arange(5_000)
    one = set(Sampler("p", 0.1).chosen(SOURCE, offset, None, {}))
    others = [
        Sampler("q", 0.1).chosen(SOURCE, offset, None, {}),
        Sampler("p", 0.1).chosen(TopicPartition("ticks", 4), offset, None, {}),
        Sampler("p", 0.1).chosen(SOURCE, offset, np.full(5_000, 7), {}),
    ]
    for other in others:
        assert 25 < len(one & set(other)) < 90  # about 50, as chance has it


@pytest.mark.parametrize(("ratio", "rows"), [(0.0, []), (1.0, [0, 1, 2])])
def test_none_and_all(ratio: float, rows: list[int]) -> None:
    assert Sampler("p", ratio).chosen(SOURCE, np.arange(3), None, {}) == rows


def test_who_sends_a_traceparent_decides() -> None:
    asked = headers(r0=SAMPLED, r1=UNSAMPLED, r2=b"rubbish", r3=None, r4=b"\xff" * 55)
    assert Sampler("p", 0.0).chosen(SOURCE, np.arange(6), None, asked) == [0]
    # One that is malformed is none: nobody has decided yet.
    assert Sampler("p", 1.0).chosen(SOURCE, np.arange(6), None, asked) == [0, 2, 3, 4, 5]


def test_the_trace_goes_on_in_the_parents_trace() -> None:
    ids = Sampler("p", 1.0).ids(SOURCE, 7, -1, SAMPLED)
    assert ids.trace_id.hex() == TRACE
    again = Sampler("p", 1.0).ids(SOURCE, 7, -1, SAMPLED)
    assert ids == again
    assert ids.parent_span_id.hex() == SPAN
    own = {ids.spans[at : at + 8] for at in range(0, len(ids.spans), 8)}
    assert len(own) == 6
    assert {ids.process, ids.infer, ids.send, ids.commit} < own
    assert ids.traceparent == f"00-{TRACE}-{ids.send.hex()}-01".encode()
    assert parent_of(ids.traceparent) == (ids.trace_id, ids.send)
    assert is_sampled(ids.traceparent)


def test_without_a_parent_each_event_has_a_trace_of_its_own() -> None:
    sampler = Sampler("p", 1.0)
    places = [(7, -1), (8, -1), (7, 0), (7, 1)]
    assert len({sampler.ids(SOURCE, *place, None).trace_id for place in places}) == 4


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff" * 55,
        SAMPLED[:-1],
        SAMPLED + b"0",
        SAMPLED.upper(),
        SAMPLED.replace(b"-", b"_"),
        b"ff" + SAMPLED[2:],
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
    ],
)
def test_what_is_no_traceparent_is_no_parent(value: bytes) -> None:
    assert parent_of(value) is None


def test_a_later_version_may_have_more_behind() -> None:
    assert parent_of(b"01" + SAMPLED[2:] + b"-more") is not None
    assert parent_of(SAMPLED + b"-more") is None


@given(st.binary(max_size=70) | st.text(max_size=60).map(str.encode))
def test_no_bytes_whatever_break_a_batch(value: bytes) -> None:
    sampler = Sampler("p", 0.5)
    chosen = sampler.chosen(SOURCE, np.arange(2), None, headers(r0=value))
    assert set(chosen) <= {0, 1}
    sampler.ids(SOURCE, 0, -1, value)

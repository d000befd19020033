"""Traced offsets are found ahead, and they are those whose hash is small."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.telemetry.sampled_offsets import BLOCK, SampledOffsets

SEED = 0x0123_4567_89AB_CDEF
TENTH, HUNDREDTH, ONE_IN_30 = 2**64 // 10, 2**64 // 100, 2**64 // 30


def one_by_one(below: int, offset: np.ndarray) -> list[int]:
    """Of each offset alone: a column that spans more than a block is not looked up but hashed."""
    sampled = SampledOffsets(SEED, below)
    far = 10 * BLOCK
    return [
        place
        for place, one in enumerate(offset.tolist())
        if 0 in sampled.rows(np.array([one, one - far if one > far else one + far]), None)
    ]


@given(
    first=st.integers(0, 2**40),
    steps=st.lists(st.sampled_from([1, 1, 1, 1, 2, 7, 900]), max_size=60),
    order=st.sampled_from(["ascending", "descending", "mixed"]),
    below=st.sampled_from([HUNDREDTH, ONE_IN_30, TENTH]),
)
def test_whatever_comes_the_same_offsets_are_traced(
    first: int, steps: list[int], order: str, below: int
) -> None:
    """In order or not, with gaps, over a block's end, few or many."""
    offset = first + np.cumsum(np.array([0, *steps]))
    if order == "descending":
        offset = offset[::-1]
    elif order == "mixed":
        offset = np.concatenate([offset[1::2], offset[::2]])
    assert SampledOffsets(SEED, below).rows(offset, None) == one_by_one(below, offset)


def test_blocks_come_and_go() -> None:
    sampled = SampledOffsets(SEED, HUNDREDTH)
    offset = np.arange(20 * BLOCK)
    whole = sampled.rows(offset, None)
    assert 600 < len(whole) < 1_050
    pieces = [
        start + place
        for start in range(0, len(offset), 777)
        for place in sampled.rows(offset[start : start + 777], None)
    ]
    assert pieces == whole
    assert len(sampled._blocks) < 20


@pytest.mark.parametrize("first", [0, 2**62, 2**63 - 1 - 300])
def test_the_first_and_the_last_offsets_there_can_be(first: int) -> None:
    offset = first + np.arange(300)
    assert SampledOffsets(SEED, ONE_IN_30).rows(offset, None) == one_by_one(ONE_IN_30, offset)


def test_nothing_is_traced_of_nothing() -> None:
    assert SampledOffsets(SEED, HUNDREDTH).rows(np.empty(0, np.int64), None) == []


def test_rows_of_one_record_are_traced_apart() -> None:
    offset, row = np.full(4_000, 9), np.arange(4_000)
    found = SampledOffsets(SEED, HUNDREDTH).rows(offset, row)
    assert 15 < len(found) < 75

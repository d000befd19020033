"""Raw tensors: bytes are the numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.codecs import TensorCodec, TensorDecoder
from streamproc.core import Reason

DECODER = TensorDecoder(TensorCodec(type="float32[2,3]", field="window"))


def window(first: float = 0.0) -> bytes:
    return (np.arange(6, dtype="<f4") + np.float32(first)).tobytes()


def test_arrays_as_they_lie() -> None:
    decoded = DECODER.decode([window(0), window(10)])
    assert (decoded.record, decoded.row, decoded.rejected) == (None, None, {})
    assert decoded.columns["window"].tolist() == [
        [[0, 1, 2], [3, 4, 5]],
        [[10, 11, 12], [13, 14, 15]],
    ]
    assert decoded.columns["window"].dtype == np.float32


def test_what_does_not_fit_is_rejected_by_itself() -> None:
    nan = np.full(6, np.nan, "<f4").tobytes()
    decoded = DECODER.decode([None, window(), b"", window()[:-1], nan, window(7)])
    assert decoded.record is not None
    assert decoded.record.tolist() == [1, 5]
    assert decoded.columns["window"][:, 0, 0].tolist() == [0, 7]
    assert {place: error.reason for place, error in decoded.rejected.items()} == {
        0: Reason.EMPTY,
        2: Reason.EMPTY,
        3: Reason.WRONG_LENGTH,
        4: Reason.NOT_FINITE,
    }
    assert decoded.rejected[3].detail == "the value has 23 bytes, float32[2,3] has 24"


def test_single_numbers_and_whole_numbers() -> None:
    decoded = TensorDecoder(TensorCodec(type="int16")).decode([b"\x01\x00", b"\xff\xff"])
    assert decoded.columns["tensor"].tolist() == [1, -1]


def test_nothing_good_is_an_empty_column() -> None:
    assert DECODER.decode([b"x"]).columns["window"].shape == (0, 2, 3)
    assert DECODER.decode([]).columns["window"].shape == (0, 2, 3)


@given(st.lists(st.none() | st.binary(max_size=30) | st.just(window()), max_size=8))
def test_every_record_is_either_good_or_rejected(values: list[bytes | None]) -> None:
    decoded = DECODER.decode(values)
    good = range(len(values)) if decoded.record is None else decoded.record.tolist()
    assert sorted([*good, *decoded.rejected]) == list(range(len(values)))
    assert len(decoded.columns["window"]) == len(good)


@pytest.mark.parametrize("text", ["float32[", "uint8[4]"])
def test_a_type_that_does_not_exist(text: str) -> None:
    with pytest.raises(ValueError, match="no field type"):
        TensorDecoder(TensorCodec(type=text))

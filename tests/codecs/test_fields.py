"""Field types, as configurations write them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import FieldType
from streamproc.codecs.fields import LENGTH_MAX, SCALARS

NUMBERS = [name for name in SCALARS if name not in {"str", "bool"}]


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from(NUMBERS),
    st.lists(st.integers(1, 100), max_size=3) | st.integers(1, LENGTH_MAX).map(lambda n: [n]),
)
def test_what_is_shown_reads_back(dtype: str, shape: list[int]) -> None:
    kind = FieldType(dtype, tuple(shape))
    assert FieldType.parse(str(kind)) == kind
    assert kind.is_integer != kind.is_float
    assert kind.numpy == np.dtype(dtype)


@pytest.mark.parametrize("dtype", ["str", "bool"])
def test_texts_and_booleans_are_no_numbers(dtype: str) -> None:
    kind = FieldType.parse(f" {dtype} ")
    assert (kind.dtype, kind.shape, kind.size) == (dtype, (), 1)
    assert not kind.is_integer
    assert not kind.is_float


def test_a_text_column_holds_objects() -> None:
    assert FieldType.parse("str").numpy == np.dtype(object)


@pytest.mark.parametrize(
    "text",
    [
        *("", "float", "uint8", "Float32", "float32[]", "float32[0]", "float32[-1]", "float32[03]"),
        *(
            "float32[2][2]",
            "str[3]",
            "bool[3]",
            "float32 [3]",
            f"int8[{LENGTH_MAX + 1}]",
            "int8[2,]",
            "int8[1024,1025]",
        ),
    ],
)
def test_anything_else_is_refused_and_the_text_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no field type: write one of str, bool, int8.*\[16\]"):
        FieldType.parse(text)

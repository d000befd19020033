import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.replay.diff import wilson


def test_worked_examples() -> None:
    assert wilson(0, 1_000) == pytest.approx((0.0, 0.0038268), abs=1e-6)
    assert wilson(10, 100) == pytest.approx((0.0552291, 0.1743657), abs=1e-6)
    assert wilson(0, 0) == (0.0, 1.0)


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_the_share_lies_within_and_the_other_share_mirrors_it(whole: int, share: float) -> None:
    part = round(share * whole)
    low, high = wilson(part, whole)
    assert 0 <= low <= part / whole <= high <= 1
    assert wilson(whole - part, whole) == pytest.approx((1 - high, 1 - low))

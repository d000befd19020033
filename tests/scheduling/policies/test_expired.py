"""What cannot be answered in time any more."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.scheduling.policies import expired


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-100, 100), max_size=9), st.integers(0, 50), st.integers(0, 2 * 10**18))
def test_it_agrees_with_a_loop_at_any_time(deadline: list[int], soonest: int, now: int) -> None:
    deadline_ns = np.array([now + d for d in deadline], np.int64)
    deadline_ns.setflags(write=False)
    mask = expired(deadline_ns, now_ns=now, soonest_ns=soonest)
    assert mask.dtype == np.bool_
    assert mask.tolist() == [d < soonest for d in deadline]


def test_an_answer_at_the_deadline_is_in_time() -> None:
    assert expired(np.array([9, 10]), now_ns=0, soonest_ns=10).tolist() == [True, False]

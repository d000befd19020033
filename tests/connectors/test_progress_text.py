"""What is done behind a position comes back as it was stored, whatever it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.connectors.kafka.group_requests import StoredOffset
from streamproc.connectors.kafka.progress_text import fits, from_stored, to_stored
from streamproc.core import Progress


@given(st.integers(0, 1 << 50), st.sets(st.integers(0, 100_000)))
def test_it_comes_back(position: int, ahead: set[int]) -> None:
    beyond = np.array(sorted(position + n for n in ahead), np.int64)
    found = from_stored(to_stored(Progress(position, beyond)))
    assert found.position == position
    assert found.beyond.tolist() == beyond.tolist()


def test_nothing_behind_needs_no_text() -> None:
    assert to_stored(Progress(7, np.empty(0, np.int64))) == (7, "")


def test_all_that_a_process_may_hold_fits() -> None:
    """16,384 events under way, each done or not by chance."""
    done = np.random.default_rng(1).random(16_384) < 0.5
    stored = to_stored(Progress(1_000, 1_001 + np.flatnonzero(done)))
    assert fits(stored), len(stored.metadata)


@pytest.mark.parametrize("text", ["", "somebody else's", "sp1:", "sp1:~~~ ", "sp1:c$@"])
def test_a_text_of_somebody_else_says_nothing(text: str) -> None:
    assert len(from_stored(StoredOffset(5, text)).beyond) == 0

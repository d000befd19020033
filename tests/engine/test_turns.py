"""Runs and their turn: in the order of their start, arm by arm."""

import numpy as np
import pytest

from streamproc.core import InvariantError
from streamproc.engine.in_flight import Finished, InFlight
from streamproc.engine.turns import Turns
from tests.engine.test_pending import events


def started(arm: int = 0) -> InFlight:
    return InFlight(events([1]), [0, 1], 0, "idle", 0, (), arm)


def ended() -> Finished:
    return Finished({"y": np.zeros(1)}, 1)


def ends(turns: Turns, run: int) -> list[int]:
    return [number for number, _, _ in turns.end(run, ended())]


def test_a_run_waits_for_those_that_were_started_before_it() -> None:
    turns = Turns(keep_order=True)
    for run in (1, 2, 3):
        turns.begin(run, started())
    assert ends(turns, 2) == []
    assert ends(turns, 1) == [1, 2]
    assert ends(turns, 3) == [3]
    assert not len(turns)


def test_without_order_none_waits() -> None:
    turns = Turns(keep_order=False)
    for run in (1, 2):
        turns.begin(run, started())
    assert ends(turns, 2) == [2]
    assert ends(turns, 1) == [1]


def test_no_arm_waits_for_another() -> None:
    turns = Turns(keep_order=True)
    turns.begin(1, started(arm=1))
    turns.begin(2, started())
    assert ends(turns, 2) == [2]
    assert turns.of(1) is not None


def test_what_is_abandoned_is_not_under_way() -> None:
    turns = Turns(keep_order=True)
    for run in (1, 2, 3):
        turns.begin(run, started(arm=run % 2))
    assert ends(turns, 3) == []
    assert len(turns.abandon(1)) == 2
    assert turns.of(3) is None
    with pytest.raises(InvariantError, match="run 1"):
        ends(turns, 1)
    assert ends(turns, 2) == [2]

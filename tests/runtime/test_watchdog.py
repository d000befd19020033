"""The watchdog's advice, on numbers alone."""

from __future__ import annotations

import pytest

from streamproc.core import NS_PER_S
from streamproc.runtime.watchdog import Advice, ProgressWatch

PATIENCE_S = 60


class Looks:
    """A watch that is looked at every second; its answers to ``ASK`` are given."""

    def __init__(self) -> None:
        self.watch = ProgressWatch(PATIENCE_S * NS_PER_S)
        self.now_s = 0

    def during(self, seconds: int, progress: object, waiting: int | None) -> list[Advice]:
        """What is advised in so many seconds, beside nothing."""
        advised = []
        for _ in range(seconds):
            self.now_s += 1
            now_ns = self.now_s * NS_PER_S
            advice = self.watch.look(now_ns, progress)
            if advice is Advice.ASK:
                advice = self.watch.answered(now_ns, waiting)
            if advice is not Advice.NOTHING:
                advised.append(advice)
        return advised


def test_as_long_as_something_moves_nothing_is_done() -> None:
    looks = Looks()
    assert [looks.during(PATIENCE_S - 1, step, 5) for step in range(5)] == [[]] * 5


def test_a_stuck_client_is_made_anew_and_then_the_process_ends() -> None:
    looks = Looks()
    assert looks.during(PATIENCE_S, 7, 5) == []
    assert looks.during(1, 7, 5) == [Advice.REJOIN]
    assert looks.during(PATIENCE_S - 1, 7, 5) == []
    assert looks.during(1, 7, 5) == [Advice.GIVE_UP]
    assert looks.watch.stuck_s(looks.now_s * NS_PER_S) == 2 * PATIENCE_S


def test_where_the_new_client_helps_it_begins_from_the_start() -> None:
    looks = Looks()
    assert looks.during(PATIENCE_S + 10, 7, 5) == [Advice.REJOIN]
    assert looks.during(5, 8, 5) == []
    assert looks.during(PATIENCE_S, 8, 5) == [Advice.REJOIN]


@pytest.mark.parametrize("waiting", [0, None], ids=["nothing to do", "nobody answers"])
def test_quiet_is_no_fault(waiting: int | None) -> None:
    looks = Looks()
    assert looks.during(10 * PATIENCE_S, 7, waiting) == []


def test_an_outage_in_between_gives_the_client_another_chance() -> None:
    """While nobody answers, nothing is known of the client: it is not its second failure."""
    looks = Looks()
    assert looks.during(PATIENCE_S + 1, 7, 5) == [Advice.REJOIN]
    assert looks.during(PATIENCE_S, 7, None) == []
    assert looks.during(PATIENCE_S, 7, 5) == [Advice.REJOIN]
    assert looks.during(PATIENCE_S, 7, 5) == [Advice.GIVE_UP]


def test_no_patience_is_refused() -> None:
    with pytest.raises(ValueError, match="patience_ns must be positive"):
        ProgressWatch(0)

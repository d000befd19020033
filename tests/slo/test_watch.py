"""One objective, watched on a virtual clock."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from streamproc.core import NS_PER_S, Duration
from streamproc.slo import Counts, Objective, ObjectiveWatch, Session, Standing
from streamproc.slo.rings import SAMPLES_MAX

START_NS = (
    int(datetime(2026, 3, 2, 14, 30, tzinfo=UTC).timestamp()) * NS_PER_S
)  # Monday, 9:30 in New York
MINUTE_S, HOUR_S = 60, 3_600
PROMISE = Objective("o", 99.0, good="on_time")


class Traffic:
    """Steady traffic that is counted and looked at."""

    def __init__(self, objective: Objective = PROMISE, *, every_s: int = 30) -> None:
        self.watch = ObjectiveWatch(objective, every_s * NS_PER_S)
        self.every_s = every_s
        self.now_ns = START_NS
        self.total = self.bad = 0.0
        self.standing = self.watch.look(self.now_ns, Counts(0, 0))

    def go(self, seconds: int, *, bad: float = 0.0, events_s: float = 10.0) -> Standing:
        for _ in range(seconds // self.every_s):
            self.now_ns += self.every_s * NS_PER_S
            self.total += events_s * self.every_s
            self.bad += events_s * self.every_s * bad
            self.standing = self.watch.look(self.now_ns, Counts(round(self.total), round(self.bad)))
        return self.standing


def burning(standing: Standing) -> list[str]:
    return [burn.pair.name for burn in standing.burns if burn.firing]


@pytest.mark.parametrize(
    ("share", "windows"),
    [
        (0.15, ["1h", "6h", "1d", "3d"]),
        (0.14, ["6h", "1d", "3d"]),
        (0.05, ["1d", "3d"]),
        (0.02, ["3d"]),
        (0.009, []),
    ],
)
def test_each_pair_fires_above_its_threshold(share: float, windows: list[str]) -> None:
    assert burning(Traffic().go(HOUR_S, bad=share)) == windows


def test_a_short_burst_is_no_page_and_a_page_ends_with_its_short_window() -> None:
    traffic = Traffic()
    traffic.go(6 * HOUR_S)
    assert burning(traffic.go(5 * MINUTE_S, bad=1.0)) == ["3d"]  # 5 of 365 minutes: 1.37 times
    assert "1h" in burning(traffic.go(5 * MINUTE_S, bad=1.0))
    assert "1h" not in burning(traffic.go(6 * MINUTE_S))


def test_few_events_are_not_believed() -> None:
    traffic = Traffic()
    assert burning(traffic.go(HOUR_S, bad=1.0, events_s=0.01)) == []
    assert burning(traffic.go(HOUR_S, bad=1.0, events_s=0.05)) != []


def test_nothing_for_too_long_is_said() -> None:
    traffic = Traffic()
    assert not traffic.go(9 * MINUTE_S, events_s=0.0).absent
    assert traffic.go(2 * MINUTE_S, events_s=0.0).absent
    assert not traffic.go(MINUTE_S).absent
    assert not Traffic(replace(PROMISE, absent=Duration.parse(0))).go(HOUR_S, events_s=0).absent


def test_the_budget_of_a_period_is_used_up_by_its_share_of_bad_events() -> None:
    traffic = Traffic(replace(PROMISE, period=Duration.parse("1d")))
    assert traffic.go(HOUR_S, bad=0.005).budget_left == pytest.approx(0.5, abs=0.01)
    assert traffic.go(23 * HOUR_S).budget_left == pytest.approx(1 - 0.5 / 24, abs=0.01)
    assert traffic.standing.good_share == pytest.approx(1 - 0.005 / 24, abs=1e-4)


def test_a_session_begins_with_a_new_budget_and_is_quiet_outside() -> None:
    session = Session("09:30", "16:00", "America/New_York")
    traffic = Traffic(replace(PROMISE, period=session), every_s=10)
    day = traffic.go(6 * HOUR_S, bad=0.5)
    assert day.in_session
    assert burning(day)
    night = traffic.go(17 * HOUR_S, bad=1.0)
    assert not night.in_session
    assert burning(night) == []
    morning = traffic.go(HOUR_S + 5 * MINUTE_S)
    assert morning.since_open_ns == 5 * MINUTE_S * NS_PER_S
    assert (morning.budget_left, burning(morning)) == (1.0, [])


def test_memory_is_bounded() -> None:
    traffic = Traffic(replace(PROMISE, period=Duration.parse("1d")), every_s=10)
    traffic.go(30 * HOUR_S)
    _, samples = traffic.watch.saved()
    assert max(map(len, samples.values())) <= SAMPLES_MAX + 3


def test_another_promise_of_the_same_events_keeps_their_past() -> None:
    traffic = Traffic()
    traffic.go(HOUR_S, bad=0.05)
    stricter = ObjectiveWatch(replace(PROMISE, objective=99.9), 30 * NS_PER_S)
    stricter.succeed(traffic.watch)
    counts = Counts(round(traffic.total), round(traffic.bad))
    assert burning(stricter.look(traffic.now_ns + 1, counts))[0] == "1h"


def test_another_life_goes_on_where_the_last_one_ended() -> None:
    traffic = Traffic()
    traffic.go(HOUR_S, bad=0.2)
    again = ObjectiveWatch(PROMISE, 30 * NS_PER_S)
    again.restore(*traffic.watch.saved())
    standing = again.look(traffic.now_ns + 30 * NS_PER_S, Counts(0, 0))
    assert "1h" in burning(standing)
    assert standing.period.total == pytest.approx(traffic.total, rel=0.01)

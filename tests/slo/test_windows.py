"""Which windows an objective has."""

import pytest

from streamproc.core import NS_PER_S, Duration
from streamproc.slo import Objective, Session, duration_text, windows_of


def pairs(period: str | Session, objective: float = 99.0) -> list[tuple[str, str, float, str]]:
    length = Duration.parse(period) if isinstance(period, str) else period
    return [
        (duration_text(p.long_ns), duration_text(p.short_ns), p.burn, p.severity)
        for p in windows_of(Objective("o", objective, good="on_time", period=length))
    ]


def test_thirty_days_have_the_windows_of_the_book() -> None:
    assert pairs("30d") == [
        ("1h", "5m", 14.4, "page"),
        ("6h", "30m", 6.0, "page"),
        ("1d", "2h", 3.0, "ticket"),
        ("3d", "6h", 1.0, "ticket"),
    ]


def test_a_week_has_them_in_proportion() -> None:
    assert [pair[:2] for pair in pairs("7d")] == [
        ("14m", "1m10s"),
        ("1h24m", "7m"),
        ("5h36m", "28m"),
        ("16h48m", "1h24m"),
    ]


@pytest.mark.parametrize("period", ["1d", "2d", "7d", "28d", "30d", "90d"])
def test_the_share_of_the_budget_that_a_page_takes_is_that_of_a_month(period: str) -> None:
    length_ns = int(Duration.parse(period))
    objective = Objective("o", 99.0, good="on_time", period=Duration.parse(period))
    shares = [pair.burn * pair.long_ns / length_ns for pair in windows_of(objective)]
    assert shares == pytest.approx([0.02, 0.05, 0.1, 0.1], rel=0.01)


def test_a_session_has_its_own() -> None:
    assert pairs(Session("09:30", "16:00", "America/New_York"))[:2] == [
        ("3m54s", "20s", 14.4, "page"),
        ("16m15s", "1m21s", 6.0, "page"),
    ]


def test_no_window_is_too_short_to_hold_several_looks() -> None:
    shortest = pairs(Session("09:00", "10:00"))[0]
    assert shortest[:2] == ("2m", "10s")


def test_nothing_waits_for_more_bad_events_than_there_are_events() -> None:
    assert [pair[2] for pair in pairs("30d", 90.0)] == pytest.approx([8.0, 6.0, 3.0, 1.0])


def test_lengths_are_written_as_promql_reads_them() -> None:
    assert duration_text(90 * 60 * NS_PER_S) == "1h30m"

"""Numbers as people read them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamproc.reports import quantities
from streamproc.reports.quantities import count, duration, length, moment, rate, share, time_unit


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0"),
        (37, "0.037 µs"),
        (420_000, "420 µs"),
        (999_600, "1 ms"),
        (3_440_000, "3.4 ms"),
        (99_400_000, "99 ms"),
        (381_300_000, "381 ms"),
        (999_700_000, "1 s"),
        (61_000_000_000, "61 s"),
    ],
)
def test_durations(ns: float, text: str) -> None:
    assert duration(ns) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (8.23, "8.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (200, "3 min 20 s"),
        (3_599.7, "1 h"),
        (7_500, "2 h 5 min"),
    ],
)
def test_lengths(seconds: float, text: str) -> None:
    assert length(seconds) == text


def test_units_of_time() -> None:
    assert [time_unit(s) for s in (180, 181, 10_800, 10_801)] == [
        (1, "seconds"),
        (60, "minutes"),
        (60, "minutes"),
        (3_600, "hours"),
    ]


def test_shares() -> None:
    assert [share(*pair) for pair in ((0, 0), (0, 3), (3, 3), (1, 3), (1_700, 2_135))] == [
        "",
        "0%",
        "100%",
        "33.33%",
        "79.63%",
    ]


@given(st.integers(2, 10**12).flatmap(lambda n: st.tuples(st.integers(1, n - 1), st.just(n))))
def test_a_part_is_never_shown_as_all_or_nothing(pair: tuple[int, int]) -> None:
    part, whole = pair
    text = share(part, whole)
    assert text not in ("0.00%", "0%", "100.00%", "100%")
    shown = float(text.strip("<%"))
    assert shown == pytest.approx(100 * part / whole, abs=0.0101)


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0, 3, "0"), (1_994, 3, "1,990"), (0.04567, 2, "0.046"), (2, 3, "2"), (99.96, 3, "100")],
)
def test_rounded(value: float, digits: int, text: str) -> None:
    assert quantities.rounded(value, digits) == text


def test_words_for_counts_rates_and_moments() -> None:
    assert (count(1, "event"), count(2_000, "event")) == ("1 event", "2,000 events")
    assert count(2, "micro-batch", "micro-batches") == "2 micro-batches"
    assert rate(1_994.2) == "1,990/s"
    assert moment(1_750_000_000_999_999_999) == "2025-06-15 15:06:40 UTC"

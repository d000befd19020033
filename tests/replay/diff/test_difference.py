from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import ExternalError
from streamproc.replay.coordinates import Coordinates
from streamproc.replay.diff import (
    Bound,
    Bounds,
    Change,
    DecisionRow,
    Difference,
    Kind,
    Tolerances,
    difference,
    judge,
)
from streamproc.replay.diff.sorted_events import SortedEvents
from tests.replay.diff.making import Book


def run(old: Book, new: Book, *tolerances: str) -> tuple[Difference, list[Change]]:
    told: list[Change] = []
    found = difference(
        old.side(), new.side(), tolerances=Tolerances.parse(tolerances), told=told.append
    )
    return found, told


def failed(
    found: Difference, bounds: Bounds | None = None, noise: Difference | None = None
) -> list[str]:
    return [one.name for one in judge(found, bounds or Bounds(), noise) if not one.is_ok]


def test_each_way_of_differing() -> None:
    old, new = Book(), Book()
    for offset in range(6):
        old.decide(offset, {"label": "up", "scores": [0.25, 0.75]})
    new.decide(5, {"label": "up", "scores": [0.25, 0.75]})  # in another order
    new.decide(0, {"label": "up", "scores": [0.25, 0.75]}, outcome="late", latency_ns=90_000_000)
    new.decide(1, {"label": "down", "scores": [0.75, 0.25]})
    new.decide(2, {"label": "up", "scores": [0.25, 0.7500001]})
    new.give_up(3, reason="planner")
    new.decide(7, {"label": "up"})
    found, told = run(old, new, "1e-6")
    assert [(one.kind, one.id) for one in told] == [
        (Kind.OUTCOME, "ticks/0/0"),
        (Kind.CHANGED, "ticks/0/1"),
        (Kind.OUTCOME, "ticks/0/3"),
        (Kind.MISSING, "ticks/0/4"),
        (Kind.EXTRA, "ticks/0/7"),
    ]
    assert (found.joined, found.compared, found.changed, found.flips) == (5, 4, 1, 1)
    assert found.moved == {
        ("on_time", "on_time"): 3,
        ("on_time", "late"): 1,
        ("on_time", "shed"): 1,
    }
    assert told[2].reasons == ("", "planner")
    scores = found.fields["output.scores"]
    assert (scores.changed, scores.within, scores.difference_max) == (1, 1, 0.5)
    assert found.flipped == {("up", "down"): 1}
    assert found.candidate.outcomes == {"on_time": 4, "late": 1, "shed": 1}
    assert found.candidate.reasons == {"planner": 1}
    assert found.candidate.latency.max_ns == 90_000_000
    assert failed(found) == ["missing", "extra", "changed", "flips"]


def test_the_same_twice_differs_in_nothing() -> None:
    book = Book()
    book.decide(0, "up")
    book.give_up(1)
    found, told = run(book, book)
    assert not told
    assert failed(found) == []


def test_what_was_given_up_by_both_leaves_nothing_to_compare() -> None:
    book = Book()
    book.give_up(0)
    found, _ = run(book, book)
    assert failed(found) == ["compared"]


def test_the_last_end_of_a_repeated_event_counts() -> None:
    old, new = Book(), Book()
    old.decide(0, 1.0)
    new.decide(0, 9.0)
    new.decide(0, 1.0, outcome="late")
    found, _ = run(old, new)
    assert (found.candidate.repeats, found.changed, found.candidate.outcomes) == (1, 0, {"late": 1})


def test_a_decision_whose_outcome_was_cut_off_is_known_all_the_same() -> None:
    old, new = Book(), Book()
    old.decide(0, 1.0)
    new.decided.append(DecisionRow(Coordinates("ticks", 0, 0), "on_time", old.decided[0].value))
    found, _ = run(old, new)
    assert (found.joined, found.compared, failed(found)) == (1, 1, [])


def test_a_bound_is_a_number_or_a_share() -> None:
    old, new = Book(), Book()
    for offset in range(200):
        old.decide(offset, {"label": "up"})
        new.decide(offset, {"label": "down" if offset < 2 else "up"})
    found, _ = run(old, new)
    flips = Bounds(changed=None, flips=Bound.parse("1%"))
    assert failed(found, flips) == []
    assert failed(found, Bounds(changed=None, flips=Bound.parse("0.9%"))) == ["flips"]
    assert failed(found, Bounds(changed=Bound.parse("2"), flips=None)) == []
    assert failed(found, Bounds(changed=Bound.parse("1"), flips=None)) == ["changed"]


@pytest.mark.parametrize("text", ["", "1.5", "-1", "101%", "1%x", "x%", "nan"])
def test_what_is_no_bound(text: str) -> None:
    with pytest.raises(ValueError, match="is no bound"):
        Bound.parse(text)


def test_noise_is_no_difference_and_more_than_noise_is_one() -> None:
    old, again, new, worse = Book(), Book(), Book(), Book()
    for offset in range(1_000):
        old.decide(offset, {"label": "up"})
        for book, every in ((again, 100), (new, 80), (worse, 20)):
            book.decide(offset, {"label": "down" if offset % every == 0 else "up"})
    noise, _ = run(old, again)
    assert failed(run(old, new)[0]) == ["changed", "flips"]
    assert failed(run(old, new)[0], noise=noise) == []
    assert failed(run(old, worse)[0], noise=noise) == ["changed", "flips"]


@settings(max_examples=30, deadline=None)
@given(
    st.dictionaries(st.integers(0, 40), st.integers(0, 2)),
    st.dictionaries(st.integers(0, 40), st.integers(0, 2)),
)
def test_a_slow_obvious_version_agrees(old: dict[int, int], new: dict[int, int]) -> None:
    """2 stands for shed, others for what was decided."""
    books = []
    for ends in (old, new):
        book = Book()
        for offset, end in ends.items():
            if end == 2:
                book.give_up(offset)
            else:
                book.decide(offset, end)
        books.append(book)
    found, told = run(*books)
    both = old.keys() & new.keys()
    assert (found.missing, found.extra) == (len(old.keys() - new), len(new.keys() - old))
    assert found.outcome_changed == sum((old[at] == 2) != (new[at] == 2) for at in both)
    assert found.changed == sum(old[at] != new[at] and 2 not in (old[at], new[at]) for at in both)
    assert len(told) == found.missing + found.extra + found.outcome_changed + found.changed


def test_the_order_of_topics_partitions_and_offsets_is_that_of_python(tmp_path: Path) -> None:
    book = Book()
    places = [
        ("ü", 0, 9),
        ("t", 10, 1),
        ("t", 2, 1),
        ("t", 2, 10),
        ("t", 2, 9),
        ("𝄞", 0, 0),
        ("￿", 0, 0),
    ]
    for place in places:
        book.decided.append(DecisionRow(Coordinates(*place), "on_time", b"x"))
    with SortedEvents(book, tmp_path, "order") as events:
        assert [event.coordinates[:3] for event in events] == sorted(places)


def test_no_room_to_sort(tmp_path: Path) -> None:
    with pytest.raises(ExternalError, match=r"events cannot be sorted in .*TMPDIR"):
        SortedEvents(Book(), tmp_path / "nowhere", "a")

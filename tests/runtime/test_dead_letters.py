"""Dead letters as they are read: filters, what may be put back, and that nothing of a payload shows."""

from dataclasses import replace
from typing import Any

import pytest

from streamproc.engine import OUTCOME_HEADER, SOURCE_HEADER
from streamproc.runtime.dead_letters import (
    FROM_HEADER,
    REDRIVEN_HEADER,
    Filter,
    Letter,
    Place,
    returned,
    why_not_returned,
)

AT = Place("p.dlq", 1, 7)
HEADERS = (
    ("mine", b"secret-header"),
    (OUTCOME_HEADER, b"dead_letter"),
    ("streamproc-reason", b"wrong_type"),
    (SOURCE_HEADER, b"ticks/3/9"),
    ("streamproc-detail", b"ValueError: bad secret-value"),
)


def letter(*more: tuple[str, bytes | None], **changes: Any) -> Letter:
    read = Letter.read(
        AT,
        timestamp_ms=1_000,
        key=b"secret-key",
        value=b"secret-value",
        headers=[*HEADERS, *more],
        held=True,
    )
    assert read is not None
    return replace(read, **changes)


def test_a_letter_says_where_it_came_from_and_why() -> None:
    found = letter()
    assert (str(found.source), found.reason, found.redriven) == ("ticks/3/9", "wrong_type", 0)
    assert (found.cause, found.value_bytes) == ("ValueError", 12)
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("detail", "cause"),
    [
        ("ValueError: x", "ValueError"),
        ("Refused", "Refused"),
        ("field 'x' must be str, is the number '7'", ""),
        ("secret", ""),
        ("", ""),
    ],
)
def test_the_cause_is_the_exceptions_name_alone(detail: str, cause: str) -> None:
    assert letter(detail=detail).cause == cause


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((SOURCE_HEADER, b"ticks/3/9"),),
        ((OUTCOME_HEADER, b"dead_letter"),),
        ((OUTCOME_HEADER, b"dead_letter"), (SOURCE_HEADER, b"ticks/x/9")),
        (*HEADERS, ("streamproc-receipt", b"0/1")),
    ],
)
def test_what_is_no_letter(headers: Any) -> None:
    assert Letter.read(AT, timestamp_ms=0, key=None, value=b"", headers=headers, held=True) is None


def test_what_a_terminal_would_obey_is_taken_out() -> None:
    found = letter(("streamproc-reason", b"\x1b[2Jgone"))
    assert found.reason == "\ufffd[2Jgone"


@pytest.mark.parametrize(
    ("chosen", "matches"),
    [
        (Filter(), True),
        (Filter(places={AT}), True),
        (Filter(places={Place("p.dlq", 1, 8)}), False),
        (Filter(reasons=["empty", "wrong_type"]), True),
        (Filter(reasons=["empty"]), False),
        (Filter(topic="ticks", partition=3), True),
        (Filter(topic="other"), False),
        (Filter(partition=1), False),
        (Filter(since_ms=1_000, until_ms=1_001), True),
        (Filter(since_ms=1_001), False),
        (Filter(until_ms=1_000), False),
    ],
)
def test_filters(chosen: Filter, matches: bool) -> None:
    assert chosen.matches(letter()) == matches


def test_a_record_goes_back_as_it_came_with_a_mark() -> None:
    assert returned(letter()) == [
        ("mine", b"secret-header"),
        (REDRIVEN_HEADER, b"1"),
        (FROM_HEADER, b"ticks/3/9"),
    ]
    again = letter((REDRIVEN_HEADER, b"2"), (FROM_HEADER, b"ticks/3/1"))
    assert returned(again)[1:] == [(REDRIVEN_HEADER, b"3"), (FROM_HEADER, b"ticks/3/9")]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ((), None),
        (((REDRIVEN_HEADER, b"2"),), None),
        (((REDRIVEN_HEADER, b"3"),), "put back 3 times already"),
        (((REDRIVEN_HEADER, b"-1"),), None),
        (((REDRIVEN_HEADER, b"9" * 5_000),), None),
        ((("streamproc-size", b"5"),), "too large to be kept"),
        ((("streamproc-rows", b"0-1"),), "only some rows"),
        (((SOURCE_HEADER, b"salaries/0/1"),), "which is no source of this pipeline"),
    ],
)
def test_what_is_not_put_back(more: Any, words: str | None) -> None:
    why = why_not_returned(letter(*more), topics=["ticks"], times_max=3, whole=False)
    assert (why is None) if words is None else (why is not None and words in why)


def test_whole_records_when_asked_for() -> None:
    rows = letter(("streamproc-rows", b"0-1"))
    assert why_not_returned(rows, topics=["ticks"], times_max=3, whole=True) is None


@pytest.mark.parametrize("text", ["", "1", "a/b", "1/-2", "1/2/", "/", "\u0661/x"])
def test_what_is_no_place(text: str) -> None:
    with pytest.raises(ValueError, match="is no place"):
        Place.parse(text, "p.dlq")


def test_places() -> None:
    assert Place.parse("1/7", "p.dlq") == AT == Place.parse("p.dlq/1/7")
    assert Place.parse("a/b/1/7") == Place("a/b", 1, 7)

"""Dead letters and shed events carry what came in, and always fit."""

import hashlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamproc.core import (
    Headers,
    Outcome,
    OutRecords,
    Reason,
    RecordBatch,
    TopicPartition,
)
from streamproc.engine.letters import Originals, letters

SOURCE = TopicPartition("ticks", 3)


def made(
    value: bytes | None,
    headers: Headers = (),
    *,
    key: bytes | None = b"k",
    detail: str = "",
    limit: int = 20_000,
) -> OutRecords:
    return letters(
        "p.dlq",
        SOURCE,
        Originals([7], [key], [value], [headers], details=[detail] if detail else ()),
        outcome=Outcome.DEAD_LETTER,
        reason=Reason.EMPTY,
        bytes_max=limit,
    )


def test_a_letter_keeps_the_record_and_says_why() -> None:
    letter = made(b"value", [("a", b"1"), ("streamproc-reason", b"old")], detail="what")
    assert (letter.key, letter.value) == ([b"k"], [b"value"])
    assert dict(letter.headers) == {
        "streamproc-outcome": b"dead_letter",
        "streamproc-reason": b"empty",
    }
    assert letter.row_headers[0] == [
        ("a", b"1"),
        ("streamproc-source", b"ticks/3/7"),
        ("streamproc-detail", b"what"),
    ]


def test_a_value_that_does_not_fit_is_replaced_by_its_digest() -> None:
    value = b"x" * 20_000
    letter = made(value)
    headers = dict(letter.row_headers[0])
    assert letter.value == [None]
    assert headers["streamproc-size"] == b"20000"
    assert headers["streamproc-sha256"] == hashlib.sha256(value).hexdigest().encode()


@given(
    st.integers(0, 30_000),
    st.integers(0, 15_000),
    st.lists(st.integers(0, 15_000), max_size=4),
    st.text(max_size=50) | st.just("\ud800" * 1000) | st.just("€" * 2000),
)
def test_a_letter_always_fits(value: int, key: int, headers: list[int], detail: str) -> None:
    """Else one record that nobody can send would stop the pipeline for ever."""
    limit = 20_000
    letter = made(
        b"v" * value,
        [(f"h{n}", b"h" * size) for n, size in enumerate(headers)],
        key=b"k" * key,
        detail=detail,
        limit=limit,
    )
    pairs = [*letter.headers, *letter.row_headers[0]]
    size = sum(len(name) + len(v or b"") for name, v in pairs)
    assert len(letter.value[0] or b"") + len(letter.key[0] or b"") + size <= limit
    assert dict(pairs)["streamproc-source"] == b"ticks/3/7"


def rows_of(batch_rows: list[int]) -> list[str]:
    """The rows that letters about these rows of one record name."""
    batch = RecordBatch(
        source=SOURCE,
        offset=np.array([7]),
        timestamp_ns=np.array([0]),
        key=[b"k"],
        value=[b"v"],
        headers={},
        arrival_ns=0,
        end_position=8,
    )
    row = np.array(batch_rows)
    records = Originals.of_records(batch, np.zeros(len(row), np.int64), row, "bad")
    made = letters(
        "p.dlq", SOURCE, records, outcome=Outcome.SHED, reason=Reason.EXPIRED, bytes_max=20_000
    )
    return [dict(headers)["streamproc-rows"].decode() for headers in made.row_headers.values()]  # type: ignore[union-attr]


def test_one_letter_stands_for_all_rows_of_a_record() -> None:
    assert rows_of([0, 1, 2, 7, 9, 10]) == ["0-2,7,9-10"]
    assert rows_of([5, 4, 3]) == ["3-5"]


@given(st.sets(st.integers(0, 20_000), min_size=1, max_size=3_000))
def test_letters_name_each_row_once_in_texts_of_a_bounded_length(rows: set[int]) -> None:
    texts = rows_of(sorted(rows))
    assert max(map(len, texts)) <= 4_100
    named: list[int] = []
    for part in ",".join(texts).split(","):
        first, _, last = part.partition("-")
        named += range(int(first), int(last or first) + 1)
    assert named == sorted(rows)

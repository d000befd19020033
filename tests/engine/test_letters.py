"""Dead letters and shed events carry what came in, and always fit."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from streamproc.core import Headers, Outcome, OutRecords, Reason, TopicPartition
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
        Originals([7], [key], [value], [headers]),
        outcome=Outcome.DEAD_LETTER,
        reason=Reason.EMPTY,
        details=[detail] if detail else (),
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

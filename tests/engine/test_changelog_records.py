"""What the records of a changelog say, in whatever order and by whomever they were written."""

import pytest

from streamproc.core import ConfigError, TopicPartition
from streamproc.engine import ChangelogReading, Recalled
from streamproc.engine.changelog_records import Stamp, marker_body, marker_key, row_key

SOURCE = TopicPartition("ticks", 3)
LAYOUT = 77


def row(position: int, body: bytes = b"12345678", generation: int = 1) -> bytes:
    return Stamp(LAYOUT, generation, position).value(body)


def marker(position: int, newest_ns: int = 5, generation: int = 1) -> bytes:
    return row(position, marker_body(newest_ns), generation)


def read(*records: tuple[bytes, bytes | None], committed: int = 100) -> Recalled:
    reading = ChangelogReading(SOURCE, layout=LAYOUT)
    for key, value in records:
        reading.take([key], [value])
    return reading.recalled(committed)


MARK, A, NONE = marker_key("ticks"), row_key("ticks", b"a"), row_key("ticks", None)


def test_a_key_has_what_was_written_last_and_says_how_far_it_holds() -> None:
    found = read(
        (MARK, marker(0)), (A, row(10, b"old-----")), (NONE, row(10)), (MARK, marker(10, 9)),
        (A, row(20, b"new-----")),
    )  # fmt: skip
    assert (found.position, found.newest_ns, found.begun) == (10, 9, True)
    assert found.rows == {b"a": b"new-----", None: b"12345678"}
    assert found.ahead == {b"a": 20}


def test_what_somebody_writes_who_has_lost_the_partition_changes_nothing() -> None:
    found = read(
        (MARK, marker(0)), (A, row(20, b"new-----")), (MARK, marker(20)),
        (A, row(10, b"old-----")), (MARK, marker(10)),
    )  # fmt: skip
    assert (found.position, found.rows) == (20, {b"a": b"new-----"})


def test_a_deleted_key_is_gone_and_other_topics_keys_are_theirs() -> None:
    found = read(
        (MARK, marker(0)), (A, row(10)), (row_key("tick", b"a"), row(10)), (marker_key("tic"), b"?"),
        (A, None), (MARK, marker(10)),
    )  # fmt: skip
    assert found.rows == {}
    assert found.stale == []


def test_nothing_there_begins_at_the_groups_position() -> None:
    found = read(committed=42)
    assert (found.position, found.generation, found.begun) == (42, 1, False)


@pytest.mark.parametrize("committed", [5, 15])
def test_a_group_that_was_set_back_begins_anew(committed: int) -> None:
    found = read((MARK, marker(0)), (A, row(10)), (MARK, marker(10)), (A, row(20)), committed=committed)  # fmt: skip
    assert (found.position, found.generation, found.begun) == (committed, 2, False)
    assert found.rows == {}
    assert found.stale == [b"a"]


def test_what_an_earlier_generation_remembered_counts_for_nothing() -> None:
    found = read(
        (MARK, marker(50)), (A, row(50)), (NONE, row(50)), (MARK, marker(5, generation=2)),
        (A, row(9, generation=2)),
    )  # fmt: skip
    assert (found.position, found.generation) == (5, 2)
    assert found.rows == {b"a": b"12345678"}
    assert found.stale == [None]


@pytest.mark.parametrize(
    ("value", "words"),
    [(b"{}", "no changelog's"), (Stamp(LAYOUT + 1, 1, 0).value(marker_body(0)), "other features")],
)
def test_what_is_of_no_use_is_refused(value: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        read((MARK, value))
    assert refused.value.problems[0].key == "state.changelog.topic"

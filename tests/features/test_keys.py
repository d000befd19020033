"""Keys and their slots: bounded, forgotten by age, dropped with their partition, and nothing of one is another's."""

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import FieldType
from streamproc.core import Int64Array, Size, object_column
from streamproc.features import FeatureState, Program
from streamproc.features.keys import KeyTable
from streamproc.features.operators import Rolling


def table(keys_max: int) -> tuple[KeyTable, list[int]]:
    emptied: list[int] = []
    return KeyTable(
        keys_max=keys_max, emptied=lambda slots: emptied.extend(slots.tolist())
    ), emptied


def slots(keys: KeyTable, names: str, partition: int = 0) -> list[int]:
    found: Int64Array = keys.slots(partition, [name.encode() for name in names])
    return found.tolist()


def test_a_key_keeps_its_slot_and_each_partition_has_its_own() -> None:
    keys, _ = table(10)
    first = slots(keys, "aba")
    assert first[0] == first[2] != first[1]
    assert slots(keys, "ab") == first[:2]
    assert not set(slots(keys, "ab", partition=1)) & set(first)
    assert len(keys) == 4


def test_slots_are_given_in_the_order_in_which_keys_come() -> None:
    """Not in that of a set, which is another one in each process: who is forgotten among equally old ones follows from it."""
    keys, _ = table(20)
    assert slots(keys, "hgfedcba") == list(range(8))


def test_where_there_is_no_room_the_key_not_seen_for_longest_goes() -> None:
    keys, emptied = table(3)
    a, b, c = slots(keys, "abc")
    slots(keys, "a")
    slots(keys, "c")
    assert slots(keys, "d") == [b]
    assert emptied == [b]
    assert (keys.evicted_total, len(keys)) == (1, 3)
    assert slots(keys, "ac") == [a, c]


def test_the_keys_of_a_partition_go_with_it() -> None:
    keys, emptied = table(4)
    gone = slots(keys, "ab")
    stays = slots(keys, "ab", partition=1)
    keys.drop([0])
    assert sorted(emptied) == sorted(gone)
    assert sorted(slots(keys, "cd")) == sorted(gone)
    assert slots(keys, "ab", partition=1) == stays
    assert keys.evicted_total == 0


@given(
    batches=st.lists(
        st.tuples(st.integers(0, 1), st.text("abcdefg", min_size=1, max_size=4)), max_size=20
    ),
    keys_max=st.integers(4, 9),
)
@settings(max_examples=60, deadline=None)
def test_no_two_keys_share_a_slot_and_there_are_never_too_many(
    batches: list[tuple[int, str]], keys_max: int
) -> None:
    keys, emptied = table(keys_max)
    owner: dict[int, tuple[int, str]] = {}
    for partition, names in batches:
        emptied.clear()
        found = slots(keys, names, partition)
        for slot in emptied:
            del owner[slot]
        for name, slot in zip(names, found, strict=True):
            assert owner.setdefault(slot, (partition, name)) == (partition, name)
        assert len(keys) == len(owner) <= keys_max
        assert max(found) < keys_max


def two_keys() -> tuple[Program, Callable[[bytes], float]]:
    """A program with room for two keys, and what counts the events of one."""
    program = Program(
        [Rolling(field="x", take=["count"], events=4)],
        fields={"x": FieldType("float64")},
        state=FeatureState(restore="none", max_bytes=Size(2 * 64)),
    )

    def count(name: bytes) -> float:
        made = program.advance(
            {"x": np.ones(1)}, key=object_column([name]), time_ns=np.zeros(1, np.int64), partition=0
        )
        return float(made.columns["x_4_count"][0])

    return program, count


def test_memory_is_bounded_by_bytes_and_who_was_forgotten_begins_anew() -> None:
    program, count = two_keys()
    assert (program.bytes_a_key, program.keys_max) == (64, 2)
    assert [count(name) for name in (b"a", b"b", b"a", b"c", b"a", b"b")] == [1, 1, 2, 1, 3, 1]


def test_a_key_that_has_come_back_is_not_said_to_be_gone() -> None:
    """Whoever deletes what was written of it would delete what has been written since."""
    program, count = two_keys()
    changes = program.note_changes()
    for name in (b"a", b"b", b"c", b"d", b"a"):
        count(name)
    assert changes.take_gone(0) == [b"b", b"c"]
    count(b"c")
    assert changes.take_gone(0) == [b"d"]

"""What is remembered of keys leaves as bytes, and comes back elsewhere as it was."""

from dataclasses import replace
from typing import Any

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Array, Duration, object_column
from streamproc.features import FeatureState, Program
from streamproc.features.operators import Cumulative, Custom, KeyedBatch, Rolling

FIELDS = {"x": FieldType("float64"), "kind": FieldType("str")}
HALF = Duration.parse("2s")


def counted(batch: KeyedBatch) -> Array:
    made = np.empty(len(batch))
    for rows in batch.rounds():
        batch.state["seen"][batch.slot[rows]] += 1
        made[rows] = batch.state["seen"][batch.slot[rows], 0]
    return made


OPERATORS: list[Any] = [
    Rolling(field="x", take=["sum", "std"], events=4),
    Rolling(field="x", take=["max"], events=2, when="kind == 'a'", as_="m"),
    Cumulative(field="x", take=["mean", "std", "min"], as_="all"),
    Cumulative(field="x", take=["sum", "std"], half_life=HALF),
    Custom(python=f"{__name__}:counted", as_="seen", state={"seen": "int64[2]"}),
]


def program(**state: Any) -> Program:
    return Program(OPERATORS, fields=FIELDS, state=FeatureState(**state))


def advance(it: Program, rows: range, partition: int) -> dict[str, list[float]]:
    numbers = np.array(rows)
    made = it.advance(
        {"x": np.sin(numbers), "kind": object_column(["ab"[n % 2] for n in rows])},
        key=object_column([b"%d" % (n * n % 7) if n % 5 else None for n in rows]),
        time_ns=numbers * 300_000_000,
        partition=partition,
    ).columns
    return {name: made[name].tolist() for name in it.made}


def test_what_was_packed_goes_on_elsewhere_as_if_it_had_never_left() -> None:
    there, here = program(), program()
    changes = there.note_changes()
    advance(there, range(40), partition=3)
    advance(there, range(10), partition=4)
    slots = changes.take(3, changes.of(3))
    packed = there.rows.pack(slots)
    advance(here, range(25), partition=0)  # others are in its first slots
    here.recall(8, {there.keys.owner(s)[1]: row for s, row in zip(slots, packed, strict=True)})
    assert advance(here, range(40, 60), partition=8) == advance(there, range(40, 60), partition=3)
    assert not len(changes.take(3, slots[:0]))


def test_what_changed_is_told_once_and_by_partition() -> None:
    it = program(max_keys=64)
    changes = it.note_changes()
    advance(it, range(1, 5), partition=0)
    advance(it, range(1, 3), partition=1)
    first = changes.of(0)
    assert len(first) == 3
    assert len(changes.take(0, first)) == 3
    assert not len(changes.of(0))
    assert len(changes.of(1)) == 2
    it.drop([1])
    assert not len(changes.of(1))
    advance(it, range(1, 2), partition=0)
    assert [it.keys.owner(slot) for slot in changes.of(0)] == [(0, b"1")]


def test_keys_that_go_for_want_of_room_are_told() -> None:
    it = program(max_keys=3)
    changes = it.note_changes()
    for n in range(1, 8):
        advance(it, range(n, n + 1), partition=0)
    gone = set(changes.take_gone(0))
    there = {it.keys.owner(slot)[1] for slot in changes.of(0)}
    assert len(there) <= 3
    assert gone | there == {b"1", b"4", b"2", None, b"0"}
    assert changes.take_gone(0) == []


def layout(*operators: Any) -> int:
    return Program(operators, fields=FIELDS, state=FeatureState()).rows.layout


def test_other_operators_have_another_layout() -> None:
    fading = Cumulative(field="x", half_life=HALF)
    others = [
        replace(fading, half_life=Duration.parse("1s")),
        replace(fading, when="kind == 'a'"),
        Rolling(field="x", take=["sum"], events=4),
        Rolling(field="x", take=["sum"], events=5),
    ]
    assert len({layout(fading), *map(layout, others)}) == 5
    assert layout(fading) == layout(fading)

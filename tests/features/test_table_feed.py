"""What changes in a table is seen by what arrives later, and by nothing else."""

import numpy as np

from streamproc.features import FedTable, KeyedNumbers, TableFeed
from tests.support.tables import all_of, rows_of


def fed(keys_max: int = 3) -> FedTable:
    table = KeyedNumbers(1, keys_max=keys_max)
    return FedTable.of(table, "lookup", "profiles", ("weight",), keys_max)


def held(one: FedTable) -> dict[str, float]:
    keys, numbers = one.table.contents()
    return dict(zip(keys, numbers[:, 0].tolist(), strict=True))


def test_a_change_is_seen_by_what_arrives_after_its_instant() -> None:
    one = fed()
    feed = TableFeed({"lookup": one})
    feed.add(rows_of({"a": 1.0}, 10, end=1))
    feed.add(rows_of({"a": 2.0, "b": 3.0}, 20, end=3))
    feed.advance(10)
    assert held(one) == {}
    feed.advance(11)
    assert held(one) == {"a": 1.0}
    feed.advance(20)
    assert held(one) == {"a": 1.0}
    feed.add(rows_of({"b": None}, 30, end=4))
    feed.advance(31)
    assert held(one) == {"a": 2.0}
    assert (one.told.seen_ns, one.told.positions) == (30, {0: 4})


def test_all_that_is_told_makes_the_same_table_elsewhere() -> None:
    one = fed()
    feed = TableFeed({"lookup": one})
    feed.add(all_of(dict.fromkeys("abcd", 1.0), 5, end=4))  # the first has no room
    feed.begin(7)
    feed.add(rows_of([("b", 9.0), ("c", None), ("e", 5.0)], 8, end=7))
    other = fed()
    again = TableFeed({"lookup": other})
    for rows in feed.all_told():
        again.add(rows)
    again.advance(8)
    assert held(other) == held(one) == {"b": 1.0, "c": 1.0, "d": 1.0}
    for both in (feed, again):
        both.advance(9)
        both.add(rows_of({"f": 1.0}, 9, end=8))
        both.advance(10)
    assert held(other) == held(one) == {"b": 9.0, "e": 5.0, "f": 1.0}
    assert np.array_equal(one.table.contents()[1], other.table.contents()[1])

"""What the scheduler is told of events beside their times."""

from dataclasses import replace

import numpy as np

from streamproc.core import EventBatch, object_column
from streamproc.engine import Offering
from streamproc.engine.offering import key_hashes
from streamproc.features import Expression
from tests.support.events import events_of


def parsed(text: str) -> Expression:
    return Expression.parse(text, {"size": "float64", "price": "float64"})


def batch() -> EventBatch:
    columns = {
        "size": np.array([2.0, -1.0, np.nan, np.inf]),
        "price": np.array([10.0, 3.0, 5.0, 1.0]),
    }
    return events_of(4, columns=columns)


def test_nothing_is_made_that_nobody_asks_for() -> None:
    offered = Offering().of(batch(), 7)
    assert (offered.partition, len(offered)) == (7, 4)
    assert offered.lane is offered.key is offered.cost is offered.value is None


def test_a_cost_that_is_none_is_an_ordinary_events() -> None:
    offered = Offering(cost=parsed("size")).of(batch(), 0)
    assert offered.cost is not None
    assert offered.cost.tolist() == [2.0, 1.0, 1.0, 1.0]


def test_a_value_that_is_none_is_worth_nothing() -> None:
    offered = Offering(value=parsed("size * price")).of(batch(), 0)
    assert offered.value is not None
    assert offered.value.tolist() == [20.0, 0.0, 0.0, 0.0]


def test_keys_are_told_apart_and_what_has_none_stands_alone() -> None:
    number = np.array([10, 11, 12, 13, 14])
    hashes = key_hashes([b"a", None, b"b", None, b"a"], number).tolist()
    assert hashes[0] == hashes[4]
    assert len(set(hashes)) == 4


def test_events_are_offered_with_their_keys() -> None:
    keyed = replace(batch(), key=object_column([b"a", b"b", b"a", None]))
    offered = Offering(keys=True).of(keyed, 0)
    assert offered.key is not None
    assert offered.key[0] == offered.key[2]
    assert len(set(offered.key.tolist())) == 3

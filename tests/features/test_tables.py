"""Tables of lookups: bounded, and a function is asked once for what is not known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.core import Duration
from streamproc.features import AskedTable, KeyedNumbers
from streamproc.features.operators import Lookup

NO_TIME = np.zeros(0, np.int64)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.none() | st.integers(0, 99)), max_size=40))
def test_a_table_is_a_bounded_mapping(changes: list[tuple[str, int | None]]) -> None:
    table, plain = KeyedNumbers(2, keys_max=4), dict[str, int]()
    for key, number in changes:
        if number is None:
            table.remove(key)
            plain.pop(key, None)
        else:
            table.put(key, [number, -number])
            plain.pop(key, None)
            plain[key] = number
            if len(plain) > 4:
                del plain[next(iter(plain))]
    numbers, there = table.look(list("abcdef"), NO_TIME)
    assert there.tolist() == [key in plain for key in "abcdef"]
    assert numbers[there].tolist() == [[plain[k], -plain[k]] for k in "abcdef" if k in plain]
    assert len(table) == len(plain)


class Asked:
    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, keys: list[str]) -> dict[str, dict[str, float]]:
        self.calls.append(list(keys))
        return {key: {"x": len(self.calls), "y": 1.0} for key in keys if key != "nobody"}


def look(table: AskedTable, keys: str | list[str], *seconds: float) -> list[float | None]:
    time_ns = np.array([round(s * 1e9) for s in seconds] * (len(keys) // len(seconds)), np.int64)
    numbers, there = table.look(list(keys), time_ns)
    return [n if t else None for n, t in zip(numbers[:, 0].tolist(), there.tolist(), strict=True)]


def test_a_function_is_asked_once_for_each_key_and_again_when_its_answer_is_old() -> None:
    function = Asked()
    table = AskedTable(function, ["x"], keys_max=10, ttl_ns=10**9)
    assert look(table, "aba", 1) == [1, 1, 1]
    assert look(table, ["a", "c", "nobody"], 1.9) == [1, 2, None]
    assert look(table, ["nobody"], 2) == [None]
    assert look(table, "ab", 2.0, 1.5) == [3, 1]
    assert function.calls == [["a", "b"], ["c", "nobody"], ["a"]]
    assert table.asked_total == 5


def test_answers_are_kept_for_so_many_keys_and_a_batch_may_have_more() -> None:
    function = Asked()
    table = AskedTable(function, ["x"], keys_max=3, ttl_ns=None)
    assert look(table, "abcdefa", 0) == [1, 1, 1, 2, 2, 2, 3]
    assert look(table, "aef", 0) == [3, 2, 2]
    assert look(table, "axe", 0) == [3, 4, 2]  # those that are asked for are not those that go
    assert [len(call) for call in function.calls] == [3, 3, 1, 1]


def test_those_that_are_asked_for_again_go_in_the_order_in_which_they_were() -> None:
    table = AskedTable(function := Asked(), ["x"], keys_max=8, ttl_ns=None)
    look(table, "hgfedcba", 0)
    look(table, "gfedcbax", 0)
    look(table, "y", 0)
    look(table, "fedcbaxy", 0)
    assert function.calls[1:] == [["x"], ["y"]]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([1.0], "a mapping by key, gave list"),
        ({"a": 1.0}, "mapping of numbers for a key, gave float"),
        ({"a": {"x": float("nan")}}, "NaN"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused(answer: Any, words: str) -> None:
    table = AskedTable(lambda _: answer, ["x"], keys_max=3, ttl_ns=None)
    with pytest.raises(ValueError, match=words):
        table.look(["a"], np.zeros(1, np.int64))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({}, "needs a file, a topic or python"),
        ({"file": "f", "key": "k", "topic": "t"}, "one of them only"),
        ({"file": "f"}, "key is the column"),
        ({"topic": "t", "key": "k"}, "key is the column"),
        ({"topic": "t", "ttl": Duration(1)}, "ttl"),
        ({"topic": "t", "max_keys": 0}, "max_keys"),
        ({"topic": "t", "fields": ()}, "fields"),
    ],
)
def test_what_is_no_lookup_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Lookup(**({"field": "s", "fields": ("x",)} | wrong))

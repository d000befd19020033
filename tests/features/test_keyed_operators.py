"""Operators over what a key did: each as its plain loop says, whatever the order of arrival and the batches."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.codecs import FieldType
from streamproc.core import Array, Duration, object_column
from streamproc.features import Program
from streamproc.features.operators import (
    AsOf,
    ClosedWindow,
    Cumulative,
    Difference,
    Ewm,
    KeySequence,
    Lag,
    Last,
    Quantile,
    Return,
    Rolling,
    TimeSince,
)
from streamproc.features.options import Feature, FeatureState
from tests.features import plain

S = 1_000_000_000
FIELDS = {"x": FieldType("float64"), "y": FieldType("float32"), "kind": FieldType("str")}
ALL: list[Any] = ["count", "sum", "mean", "std", "variance", "min", "max", "z_score"]
QUOTE = "kind == 'quote'"


def seconds(text: str) -> Duration:
    return Duration.parse(text)


KEYED: list[Feature] = [
    Lag(field="x"),
    Lag(field="x", by=3, fill=-1.0),
    Difference(field="x", by=2),
    Return(field="x"),
    Last(field="y", n=4, fill=9.0),
    TimeSince(fill=-1.0),
    TimeSince(when=QUOTE, fill=-1.0, as_="since_quote"),
    Rolling(field="x", take=ALL, events=4),
    Rolling(field="x", take=[*ALL, "rate"], time=seconds("3s"), max_events=5, fill=-2.0),
    Rolling(field="y", take=ALL, events=3, when=QUOTE),
    ClosedWindow(field="x", take=ALL[:-1], size=seconds("1s"), max_events=6, fill=5.0),
    ClosedWindow(field="x", take=["sum"], size=seconds("2s"), every=seconds("500ms"), grace=seconds("1s")),
    ClosedWindow(field="x", take=["sum", "count"], gap=seconds("1s"), max_events=8),
    ClosedWindow(field="x", take=["sum", "max"], gap=seconds("1s"), when=QUOTE, grace=seconds("500ms")),
    Quantile(field="x", q=[0.0, 0.25, 0.5, 0.9, 1.0], events=5),
    Quantile(field="x", time=seconds("2s"), when=QUOTE, fill=7.0),
    KeySequence(fields=["x", "y"], steps=5, fill=0.5),
    KeySequence(fields=["y"], steps=3, when=QUOTE, as_="quotes"),
    KeySequence(fields=["x"], steps=2, every=seconds("1s"), as_="often"),
    KeySequence(fields=["y"], steps=3, when=QUOTE, every=seconds("2s"), as_="seldom"),
    AsOf(when=QUOTE, fields=["x", "y"], within=seconds("4s"), max_events=3, fill=-3.0),
    Cumulative(field="x", take=ALL[:-1], fill=4.0),
    Cumulative(field="y", take=["sum", "min", "std"], when=QUOTE),
]  # fmt: skip
NEARLY: list[Feature] = [
    Return(field="x", log=True),
    Ewm(field="x", take=["mean", "variance", "std"], half_life_events=2.0, events=6),
    Ewm(field="y", take=["mean", "std"], half_life=seconds("1s"), max_events=6, when=QUOTE),
    Cumulative(field="x", take=["count", "sum", "mean", "std"], half_life=seconds("2s")),
    Cumulative(field="y", take=["mean", "variance"], half_life=seconds("700ms"), when=QUOTE),
]
"""Those with a logarithm or a power, of which the C library's last bit may be another."""

events_st = st.lists(
    st.fixed_dictionaries(
        {
            "key": st.sampled_from([b"a", b"b", None]),
            "time_ns": st.integers(0, 12).map(lambda t: t * S // 2),
            "x": st.sampled_from([0.1, 0.2, 0.3, 1e16, -1e16, 3.7, 0.0, 1 / 3]),
            "y": st.integers(-50, 50).map(lambda y: float(np.float32(y / 7))),
            "kind": st.sampled_from(["quote", "trade"]),
        }
    ),
    min_size=1,
    max_size=30,
)


def advanced(
    operators: Sequence[Feature],
    events: Sequence[plain.Event],
    *,
    sizes: Sequence[int] = (),
    ttl_ns: int | None = None,
) -> dict[str, Array]:
    """What the program makes, in batches of these sizes and the rest in one."""
    state = FeatureState(ttl=None if ttl_ns is None else Duration(ttl_ns))
    program = Program(operators, fields=FIELDS, state=state)
    parts: list[dict[str, Array]] = []
    left = list(events)
    for size in [*sizes, len(events)]:
        batch, left = left[:size], left[size:]
        if batch:
            columns = {n: column_of(batch, n) for n in FIELDS}
            made = program.advance(
                columns,
                key=object_column([e["key"] for e in batch]),
                time_ns=np.array([e["time_ns"] for e in batch]),
                partition=0,
            )
            parts.append(made.columns)
    return {name: np.concatenate([part[name] for part in parts]) for name in program.made}


def numbered(events: Sequence[plain.Event]) -> list[plain.Event]:
    """The same, no two of them equal."""
    return [{**event, "number": number} for number, event in enumerate(events)]


def column_of(events: Sequence[plain.Event], name: str) -> Array:
    if name == "kind":
        return object_column([e[name] for e in events])
    return np.array([e[name] for e in events], FIELDS[name].numpy)


def bits(columns: dict[str, Array]) -> dict[str, bytes]:
    return {name: column.tobytes() for name, column in columns.items()}


@pytest.mark.parametrize("operator", KEYED, ids=repr)
@given(events=events_st, ttl_s=st.sampled_from([None, 2, 100]))
@settings(max_examples=12, deadline=None)
def test_it_is_its_plain_loop_to_the_last_bit(
    operator: Feature, events: list[plain.Event], ttl_s: int | None
) -> None:
    ttl_ns = None if ttl_s is None else ttl_s * S
    events = numbered(events)
    made = advanced([operator], events, ttl_ns=ttl_ns)
    for name, wanted in plain.column(operator, events, ttl_ns=ttl_ns).items():
        np.testing.assert_array_equal(made[name], np.array(wanted, np.float64), name)


@pytest.mark.parametrize("operator", NEARLY, ids=repr)
@given(events=events_st, ttl_s=st.sampled_from([None, 2]))
@settings(max_examples=12, deadline=None)
def test_with_a_power_it_is_its_plain_loop_but_for_rounding(
    operator: Feature, events: list[plain.Event], ttl_s: int | None
) -> None:
    ttl_ns = None if ttl_s is None else ttl_s * S
    events = [{**e, "x": max(-4.0, min(4.0, e["x"]))} for e in numbered(events)]  # nothing cancels
    made = advanced([operator], events, ttl_ns=ttl_ns)
    for name, wanted in plain.column(operator, events, ttl_ns=ttl_ns).items():
        np.testing.assert_allclose(made[name], wanted, rtol=1e-12, atol=1e-7, err_msg=name)


@given(events=events_st, sizes=st.lists(st.integers(1, 9), max_size=8))
@settings(max_examples=25, deadline=None)
def test_batches_cut_in_another_way_give_the_same_bits(
    events: list[plain.Event], sizes: list[int]
) -> None:
    operators = [
        replace(o, as_=f"own_{n}") if isinstance(o, ClosedWindow | Cumulative) else o
        for n, o in enumerate([*KEYED, *NEARLY])
    ]
    one_by_one = advanced(operators, events, sizes=[1] * len(events), ttl_ns=3 * S)
    assert bits(advanced(operators, events, sizes=sizes, ttl_ns=3 * S)) == bits(one_by_one)

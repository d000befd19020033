"""Expressions over columns: what Python says row by row, and no exception whatever is in the columns."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from streamproc.core import Columns, object_column
from streamproc.features import Expression

FIELDS = {
    "symbol": "str",
    "side": "str",
    "size": "int64",
    "small": "int8",
    "price": "float64",
    "rough": "float32",
    "maker": "bool",
    "book": "float32[16]",
}


def columns() -> Columns:
    made: Columns = {
        "symbol": object_column(["BTCUSDT", "ETHUSDT", None, "BTCUSDT"]),
        "side": object_column(["buy", "sell", "buy", None]),
        "size": np.array([1, 20, -3, 0]),
        "small": np.array([1, 2, 3, -4], np.int8),
        "price": np.array([10.5, 0.0, math.nan, 2.0]),
        "rough": np.array([0.1, 0.5, 1.0, 2.0], np.float32),
        "maker": np.array([True, False, True, False]),
    }
    for column in made.values():
        column.setflags(write=False)
    return made


def mask(text: str) -> list[bool]:
    found = Expression.parse(text, FIELDS).mask(columns(), 4)
    assert found.dtype == np.bool_
    return found.tolist()


def values(text: str) -> list[float]:
    found = Expression.parse(text, FIELDS).values(columns(), 4)
    assert found.dtype == np.float64
    return found.tolist()


T, F = True, False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("symbol in ['BTCUSDT'] and size > 0", [T, F, F, F]),
        ("symbol not in ('BTCUSDT', 'ETHUSDT')", [F, F, T, F]),
        ("symbol == 'BTCUSDT' or side == 'sell'", [T, T, F, T]),
        ("symbol < 'C'", [T, F, F, T]),
        ("symbol != side", [T, T, T, T]),
        ("0 < size <= 20", [T, T, F, F]),
        ("size in [1, -3, 2.5]", [T, F, T, F]),
        ("price in {10.5, 2}", [T, F, F, T]),
        ("maker", [T, F, T, F]),
        ("not maker and True", [F, T, F, T]),
        ("maker == (size > 0)", [T, F, F, T]),
        ("maker in [True]", [T, F, T, F]),
        ("small < 300", [T, T, T, T]),
        ("rough > 0.1", [T, T, T, T]),  # as a float64 the nearest float32 is a little more
        ("1 < 2", [T, T, T, T]),
        ("'a' == 'b'", [F, F, F, F]),
        ("size", [T, T, T, F]),
        ("price", [T, F, F, T]),
        ("size in []", [F, F, F, F]),
    ],
)
def test_conditions(text: str, expected: list[bool]) -> None:
    assert mask(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size * 2 + 1", [3, 41, -5, 1]),
        ("-size", [-1, -20, 3, 0]),
        ("abs(size)", [1, 20, 3, 0]),
        ("max(size, 2.5)", [2.5, 20, 2.5, 2.5]),
        ("min(small, maker)", [1, 0, 1, -4]),
        ("size // 2", [0, 10, -2, 0]),
        ("size % 4", [1, 0, 1, 0]),
        ("(side == 'buy') * size", [1, 0, -3, 0]),
        ("7", [7, 7, 7, 7]),
        ("maker", [1, 0, 1, 0]),
    ],
)
def test_numbers(text: str, expected: list[float]) -> None:
    assert values(text) == expected


def test_what_is_undefined_compares_with_nothing_and_is_worth_nothing() -> None:
    assert mask("1 / price > 0") == [T, F, F, T]
    assert mask("1 / price <= 0") == [F, F, F, F]
    assert mask("1 // price != 1 // price") == [F, T, T, F]
    assert values("size / price") == [1 / 10.5, 0, 0, 0]
    assert values("5 % price") == [5.0, 0, 0, 1.0]
    assert values("min(price, 1)") == [1, 0, 0, 1]
    assert mask("1 / 0 < 1") == [F, F, F, F]


def test_an_optional_number_that_is_none_is_undefined() -> None:
    expression = Expression.parse("size > 1 or maker", {"size": "int64", "maker": "bool"})
    given_columns: Columns = {
        "size": object_column([None, 2, 0]),
        "maker": object_column([None, None, True]),
    }
    assert expression.mask(given_columns, 3).tolist() == [F, T, T]


def test_whole_numbers_are_compared_exactly() -> None:
    big = (1 << 53) + 1
    column: Columns = {"size": np.array([big, big - 1])}
    for text in (f"size == {big}", f"size in [{big}]", f"size >= {big}"):
        assert Expression.parse(text, FIELDS).mask(column, 2).tolist() == [T, F], text


def test_no_rows() -> None:
    empty: Columns = {"symbol": object_column([]), "size": np.empty(0, np.int64)}
    both = Expression.parse("symbol in ['A'] and size > 1 and symbol != 'B'", FIELDS)
    assert both.mask(empty, 0).shape == (0,)
    assert Expression.parse("size * 2", FIELDS).values(empty, 0).shape == (0,)


def test_it_says_what_it_is_and_which_fields_it_uses() -> None:
    condition = Expression.parse("size > 1 and symbol == 'A'", FIELDS)
    assert condition.is_condition
    assert condition.fields == {"size", "symbol"}
    assert not Expression.parse("size * price", FIELDS).is_condition
    assert repr(condition) == "Expression(\"size > 1 and symbol == 'A'\")"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no expression"),
        ("size >", "is no expression.*allowed are"),
        ("size > 1; 2", "is no expression"),
        ("siez > 1", "character 1: 'siez' is no field: did you mean size"),
        ("1 < foo", "character 5: 'foo' is no field: there are symbol, side"),
        ("book > 1", "'book' is an array"),
        ("size ** 2", "allowed are"),
        ("size is None", "allowed are"),
        ("price == None", "constant"),
        ("symbol", "is text"),
        ("symbol + 'a'", "is text: it cannot be calculated with"),
        ("symbol > 1", "'symbol' is text"),
        ("symbol in [1]", "is never in"),
        ("size in ['A']", "is never in"),
        ("size in symbol", "must be a list of constants"),
        ("size in [price]", "'price' is no constant"),
        ("size in [None]", "'None' is no constant"),
        ("size and maker", "character 1: 'size' is a number, no condition"),
        ("not symbol", "is text, no condition"),
        ("abs(size, 1)", "must be called with 1"),
        ("max(size)", "must be called with 2"),
        ("min(size, key=1)", "must be called with 2"),
        ("sum(size)", "calls what is not allowed"),
        ("size.real > 1", "cannot stand in an expression"),
        ("__import__('os').system('x')", "calls what is not allowed"),
        ("[x for x in size]", "cannot stand in an expression"),
        ("(lambda: 1)()", "calls what is not allowed"),
        ("f'{size}' == 'a'", "cannot stand in an expression"),
        ("size if maker else 1", "cannot stand in an expression"),
        ("size == 1j", "constant"),
        ("size == b'a'", "constant"),
        (f"size == {1 << 63}", "constant"),
        ("size + " * 300 + "1", "is too much"),
        ("(" * 100 + "size" + ")" * 100 + " +" + " -" * 60 + " size", "is too much"),
        ("-" * 9_000 + "size", "is no expression|is too much"),
        ("(" * 9_000, "is no expression"),
        ("size == '" + "x" * 10_000 + "'", "characters long"),
        ("size\0 > 1", "is no expression"),
        ("~size > 1", "cannot stand in an expression"),
        ("size > 1 and\n(siez < 2)", "is no expression"),
    ],
)
def test_what_is_not_allowed_is_refused_with_the_place_and_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Expression.parse(text, FIELDS)


def test_long_lists_of_constants_are_no_many_parts() -> None:
    names = [f"S{k}" for k in range(1_000)]
    expression = Expression.parse(f"symbol in {names}", FIELDS)
    assert expression.mask({"symbol": object_column(["S999", "S1000"])}, 2).tolist() == [T, F]


# Against Python itself.

NAMES = {"i": "int64", "j": "int32", "x": "float64", "y": "float32", "b": "bool", "s": "str"}
numbers = st.deferred(
    lambda: st.one_of(
        st.sampled_from(["i", "j", "x", "y"]),
        st.integers(-9, 9).map(str),
        st.floats(-9, 9).map(repr),
        st.tuples(numbers, st.sampled_from(["+", "-", "*", "/", "//", "%"]), numbers).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(st.sampled_from(["-", "abs"]), numbers).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(st.sampled_from(["min", "max"]), numbers, numbers).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
    )
)
comparisons = st.sampled_from(["<", "<=", "==", "!=", ">", ">="])
conditions = st.deferred(
    lambda: st.one_of(
        st.just("b"),
        st.tuples(numbers, comparisons, numbers).map(" ".join),
        st.tuples(numbers, comparisons, numbers, comparisons, numbers).map(" ".join),
        st.tuples(st.just("s"), comparisons, st.sampled_from(["'a'", "'b'", "s"])).map(" ".join),
        st.lists(st.sampled_from("abc"), max_size=3).map(lambda v: f"s in {v}"),
        st.lists(st.integers(-3, 3), max_size=3).map(lambda v: f"i not in {v}"),
        st.lists(st.floats(-3, 3) | st.integers(-3, 3), max_size=3).map(lambda v: f"x in {v}"),
        st.tuples(conditions, st.sampled_from(["and", "or", "=="]), conditions).map(
            lambda t: f"(({t[0]}) {t[1]} ({t[2]}))"
        ),
        conditions.map(lambda text: f"(not ({text}))"),
    )
)
rows = st.lists(
    st.tuples(
        st.integers(-5, 5),
        st.integers(-5, 5),
        st.floats(-5, 5) | st.integers(-3, 3).map(float),
        st.floats(-5, 5, width=32),
        st.booleans(),
        st.sampled_from("abc"),
    ),
    min_size=1,
    max_size=6,
)
Row = tuple[int, int, float, float, bool, str]


def as_columns(of: list[Row]) -> Columns:
    i, j, x, y, b, s = zip(*of, strict=True)
    return {
        "i": np.array(i),
        "j": np.array(j, np.int32),
        "x": np.array(x),
        "y": np.array(y, np.float32),
        "b": np.array(b),
        "s": object_column(s),
    }


def by_python(text: str, row: Row) -> object:
    return eval(  # noqa: S307 - the text is of this file's own making
        text,
        {"__builtins__": {}, "abs": abs, "min": defined(min), "max": defined(max)},
        dict(zip("ijxybs", row, strict=True)),
    )


def defined(function: Callable[[float, float], float]) -> Callable[[float, float], float]:
    """As ours have it: undefined where one is; Python's depend on which comes first."""

    def of_two(left: float, right: float) -> float:
        return math.nan if math.isnan(left) or math.isnan(right) else function(left, right)

    return of_two


@settings(max_examples=400, deadline=None)
@given(conditions, rows)
def test_conditions_agree_with_python_row_by_row(text: str, of: list[Row]) -> None:
    assume(len(text) < 500)
    try:
        expected = [by_python(text, row) for row in of]
    except ZeroDivisionError:
        expected = None
    try:
        expression = Expression.parse(text, NAMES)
    except ValueError as error:
        assert "too much" in str(error)  # noqa: PT017
        return
    found = expression.mask(as_columns(of), len(of))
    assert expression.is_condition
    if expected is not None:
        assert found.tolist() == expected


@settings(max_examples=400, deadline=None)
@given(numbers, rows)
@example("min(i, ((i / 2.225073858507e-311) // i))", [(1, 0, 0.0, 0.0, False, "a")])
def test_numbers_agree_with_python_row_by_row(text: str, of: list[Row]) -> None:
    try:
        expression = Expression.parse(text, NAMES)
    except ValueError as error:
        assert "too much" in str(error)  # noqa: PT017
        return
    found = expression.values(as_columns(of), len(of))
    assert not np.isnan(found).any()
    for value, row in zip(found.tolist(), of, strict=True):
        try:
            expected = by_python(text, row)
        except ZeroDivisionError:
            continue
        assert isinstance(expected, int | float)
        assert value == pytest.approx(expected, rel=1e-12) or math.isnan(expected)

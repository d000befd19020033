"""The JSON decoder: the fast way gives what the strict way gives, record by record."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streamproc.codecs import Decoded, FieldType, JsonCodec, JsonDecoder
from streamproc.codecs.json_strict import StrictJson
from streamproc.core import Reason, RecordError, Size

BYTES_MAX = 400


def decoder(fields: Mapping[str, str], bytes_max: int = BYTES_MAX) -> JsonDecoder:
    return JsonDecoder(JsonCodec(fields, Size(bytes_max)))


def record_by_record(fields: Mapping[str, str], values: list[bytes | None]) -> Decoded:
    """The slow and obvious way: each record alone, then columns of what is good."""
    kinds = {name: FieldType.parse(text) for name, text in fields.items()}
    strict = StrictJson(kinds)
    good: list[int] = []
    rejected: dict[int, RecordError] = {}
    found: list[dict[str, object]] = []
    for number, value in enumerate(values):
        if value and len(value) > BYTES_MAX:
            rejected[number] = RecordError(
                Reason.TOO_LARGE, f"the value has {len(value)} bytes, the limit is {BYTES_MAX}"
            )
            continue
        try:
            scalars, lists = strict.row(value)
        except RecordError as error:
            rejected[number] = error
            continue
        good.append(number)
        singles = [name for name, kind in kinds.items() if not kind.shape]
        several = [name for name, kind in kinds.items() if kind.shape]
        row = dict(zip(singles, scalars, strict=True))
        for name, buffer in zip(several, lists, strict=True):
            wide = np.float64 if kinds[name].is_float else np.int64
            row[name] = np.frombuffer(buffer, wide)  # type: ignore[call-overload]
        found.append(row)
    columns = {}
    for name, kind in kinds.items():
        column = np.empty((len(good), *kind.shape), kind.numpy)
        for place, row in enumerate(found):
            column[place] = row[name]
        columns[name] = column
    return Decoded(
        None if len(good) == len(values) else np.array(good, np.int64), columns, rejected
    )


def assert_alike(found: Decoded, expected: Decoded) -> None:
    said = {n: (e.reason, e.detail) for n, e in found.rejected.items()}
    assert said == {n: (e.reason, e.detail) for n, e in expected.rejected.items()}
    assert (found.record is None) == (expected.record is None)
    if found.record is not None and expected.record is not None:
        assert found.record.dtype == np.int64
        assert found.record.tolist() == expected.record.tolist()
    assert found.columns.keys() == expected.columns.keys()
    for name, column in expected.columns.items():
        assert found.columns[name].dtype == column.dtype, name
        assert found.columns[name].shape == column.shape, name
        np.testing.assert_array_equal(found.columns[name], column, strict=True)


# Each set of fields goes another way through the decoder: one scalar, several, dotted, lists alone.
FIELD_SETS: tuple[dict[str, str], ...] = (
    {"i": "int64"},
    {"f": "float32"},
    {"xs": "float32[3]"},
    {"i": "int64", "b": "int8", "f": "float32", "g": "float64", "s": "str", "t": "bool"},
    {"s": "str", "xs": "float32[3]", "ns": "int16[2]", "i": "int32"},
    {"xs": "float64[3]", "ns": "int64[2]"},
    {"d.e": "int8", "i": "int64", "d.x.y": "float64"},
    {"d.xs": "float32[3]", "d.ns": "int8[2]", "s": "str"},
    {"i": "int8", "i.0": "int8", "xs.1": "float64", "xs.-": "int8"},
    {"xs": "float64[2]", "xs.0": "float64[2]"},
    {"a/b.c": "int8", "a.b.c": "int8", "~.~1": "int8"},
    {"": "int8", ".": "int8", "d.": "int8"},
)

LITERALS = {
    "good": {
        "i": "5",
        "b": "-128",
        "f": "1.25",
        "g": "-2e-3",
        "s": '"text [\\u00e9]"',
        "t": "true",
        "xs": "[1,2.5,-3e2]",
        "ns": "[7, -8]",
        "d": '{"e":1,"x":{"y":0.1},"xs":[1,2,3],"ns":[1,2],"":4}',
        "i.0": "3",
        "a": '{"b":{"c":6},"b/c":2}',
        "a/b": '{"c":5}',
        "~": '{"~1":1}',
        "": "1",
    },
    "odd": [
        *("0", "-0", "-0.0", "127", "128", "-129", "32768", "1.0", "1e2", "1E400", "1e-400"),
        *("9223372036854775807", "9223372036854775808", "-9223372036854775809"),
        *("18446744073709551615", "18446744073709551616", "9" * 310, "0.1", "16777217"),
        *("3.4028235e38", "3.5e38", "1.7976931348623157e308", "1.7976931348623159e308"),
        *("NaN", "-Infinity", "null", "true", "false", '""', '"5"', '"NaN"', '"[1,2,3]"'),
        *('"\\ud800"', '"\\u0000"', '"\\ud83d\\ude00"', "{}", "[]", "[1]", "[1,2]", "[1,2,3]"),
        *("[1,2,3,4]", "[[1,2],3]", "[1,[2]]", "[1,[2,3]]", "[[1],[2],[3]]", "[[1,2,3]]", "[[],1]"),
        *(
            "[[1,2],[3,4]]",
            "[1,true]",
            "[1,null,2]",
            '[1,"2"]',
            "[70000,1]",
            "[1.0,2]",
            "[1e39,1,1]",
        ),
        *("[9223372036854775808,1]", "[18446744073709551616,1,1]", "[{},{}]", "[1,2,{}]"),
        *('{"e":1}', '{"e":{"e":2}}', '{"e":300}', '{"0":1}', '{"xs":[1,[2],3]}', '{"a":1,"b":2}'),
        *("01", "+1", "1.", ".5", "-", "nul", '"', "'x'", "[1,]", "{", "]"),
    ],
}

names = st.sampled_from([*LITERALS["good"], "d.e", "d.xs", "more", "\\u0069"])


@st.composite
def objects(draw: st.DrawFn) -> bytes:
    """A record: mostly good, with a few fields lost, changed, repeated, added or put elsewhere."""
    pairs = list(LITERALS["good"].items())
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.integers(0, len(pairs)))
        match draw(st.sampled_from(["lose", "change", "repeat", "swap"])):
            case "lose":
                del pairs[place : place + 1]
            case "change":
                odd = (draw(names), draw(st.sampled_from(LITERALS["odd"])))
                pairs = [odd if name == odd[0] else (name, text) for name, text in pairs]
            case "repeat":
                pairs.insert(place, (draw(names), draw(st.sampled_from(LITERALS["odd"]))))
            case _:
                pairs = pairs[place:] + pairs[:place]
    body = ",".join(f'"{name}":{text}' for name, text in pairs)
    return f"{{{body}}}".encode()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A record with bytes changed: cut, prefixed, overwritten, in another encoding."""
    value = bytearray(draw(objects()))
    place = draw(st.integers(0, len(value)))
    match draw(st.sampled_from(["cut", "overwrite", "mark", "utf-16", "long", "trail"])):
        case "cut":
            del value[place:]
        case "overwrite":
            value[place : place + 1] = draw(st.binary(max_size=2))
        case "mark":
            value[:0] = b"\xef\xbb\xbf"
        case "utf-16":
            value = bytearray(value.decode().encode("utf-16"))
        case "long":
            value += b" " * BYTES_MAX
        case _:
            value += draw(st.sampled_from([b" \n", b"\x00", b"x", b"{}", b","]))
    return bytes(value)


plain = st.sampled_from(
    [None, b"", b" ", b"null", b"5", b'"i"', b"[]", b"[1]", b"{}", b'[{"i":1}]', b"\xff", b"{" * 9]
)
records = st.lists(objects() | objects() | damaged() | plain | st.binary(max_size=9), max_size=7)


@settings(max_examples=50, deadline=None)
@pytest.mark.parametrize("fields", FIELD_SETS, ids="+".join)
@given(values=records)
@example(values=[])
@example(values=[b'{"i":1,"xs":[],"f":1}'])
@example(values=[b'{"xs":[[1,2],3],"i":1}'])
def test_the_two_ways_agree(fields: dict[str, str], values: list[bytes | None]) -> None:
    assert_alike(decoder(fields).decode(values), record_by_record(fields, values))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | st.binary(max_size=30), max_size=6))
def test_no_bytes_raise(values: list[bytes | None]) -> None:
    decoded = decoder({"a": "int8", "b": "float32[2]"}).decode(values)
    assert set(decoded.rejected) == set(range(len(values)))


@settings(max_examples=50, deadline=None)
@given(st.lists(objects() | damaged(), min_size=1, max_size=6), st.sampled_from(FIELD_SETS))
def test_a_bad_record_leaves_its_neighbours_as_they_were(
    values: list[bytes], fields: dict[str, str]
) -> None:
    one = decoder(fields)
    together = one.decode(list(values))
    good = range(len(values)) if together.record is None else together.record.tolist()
    assert sorted([*good, *together.rejected]) == list(range(len(values)))
    for place, row in enumerate(good):
        alone = one.decode([values[row]])
        assert alone.record is None
        for name, column in alone.columns.items():
            np.testing.assert_array_equal(together.columns[name][place], column[0])


def test_columns_are_of_the_declared_types() -> None:
    decoded = decoder({"b": "int8", "f": "float32", "s": "str", "t": "bool", "x": "float32[2]"})
    found = decoded.decode([b'{"b":1,"f":2,"s":"a","t":true,"x":[1,2]}'] * 3)
    assert found.record is None
    assert not found.rejected
    shapes = {name: (str(c.dtype), c.shape) for name, c in found.columns.items()}
    assert shapes == {
        "b": ("int8", (3,)),
        "f": ("float32", (3,)),
        "s": ("object", (3,)),
        "t": ("bool", (3,)),
        "x": ("float32", (3, 2)),
    }


def test_the_worked_example() -> None:
    values = [
        b'{"a":1,"x":[1,2]}',
        None,
        b'{"a":true,"x":[1,2]}',
        b'{"a":2,"x":[3]}',
        b'{"a":3,"x":[3,[4]]}',
        b'{"a":400,"x":[3,4]}',
        b'{"x":[5,6],"more":[[1]],"a":4}',
        b'{"a":5,"x":[7,1e39]}',
        b'{"a":6,"x":[7,8]}',
    ]
    found = decoder({"a": "int8", "x": "float32[2]"}).decode(values)
    assert found.record is not None
    assert found.record.tolist() == [0, 6, 8]
    assert found.columns["a"].tolist() == [1, 4, 6]
    assert found.columns["x"].tolist() == [[1, 2], [5, 6], [7, 8]]
    assert {row: error.reason for row, error in found.rejected.items()} == {
        1: Reason.EMPTY,
        2: Reason.WRONG_TYPE,
        3: Reason.WRONG_LENGTH,
        4: Reason.WRONG_TYPE,
        5: Reason.WRONG_TYPE,
        7: Reason.NOT_FINITE,
    }


def test_nothing_gives_empty_columns() -> None:
    for values in ([], [None, b""]):
        found = decoder({"a": "int8", "s": "str", "x": "float32[2]"}).decode(values)
        assert {name: column.shape for name, column in found.columns.items()} == {
            "a": (0,),
            "s": (0,),
            "x": (0, 2),
        }
        assert len(found.rejected) == len(values)


def test_a_long_value_is_refused_by_its_length_alone() -> None:
    huge = b'{"a":1,"more":"' + b"x" * 5_000_000 + b'"}'
    found = decoder({"a": "int8"}, bytes_max=1 << 20).decode([b'{"a":1}', huge, b'{"a":2}'])
    assert found.rejected[1].reason == Reason.TOO_LARGE
    assert "5000017 bytes, the limit is 1048576" in found.rejected[1].detail
    assert found.columns["a"].tolist() == [1, 2]
    assert decoder({"a": "int8"}, bytes_max=len(huge)).decode([huge]).columns["a"].tolist() == [1]


@pytest.mark.parametrize("length", [0, 1])
def test_the_limit_itself_is_allowed(length: int) -> None:
    value = b'{"a":1}'
    found = decoder({"a": "int8"}, bytes_max=len(value) - length).decode([value])
    assert len(found.rejected) == length


def test_a_decoder_that_refused_goes_on_decoding() -> None:
    one = decoder({"a": "int8", "x": "int8[2]"})
    for value in (b"{", b'{"a":1}', b'{"a":1,"x":[1,[2]]}', b'{"a":1,"x":[1,null]}', b"\xff"):
        assert len(one.decode([value]).rejected) == 1
        assert one.decode([b'{"a":1,"x":[1,2]}']).record is None


def test_columns_do_not_change_with_the_next_batch() -> None:
    one = decoder({"a": "int64", "x": "float64[2]"})
    first = one.decode([b'{"a":1,"x":[1,2]}']).columns
    one.decode([b'{"a":9,"x":[8,9]}'] * 10)
    assert first["a"].tolist() == [1]
    assert first["x"].tolist() == [[1, 2]]


def test_a_type_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="'float' is no field type"):
        decoder({"a": "float"})


def _deep(opening: bytes, closing: bytes) -> Callable[[int], bytes]:
    return lambda depth: b'{"a":1,"d":' + opening * depth + b"0" + closing * depth + b"}"


@pytest.mark.parametrize("made", [_deep(b"[", b"]"), _deep(b'{"d":', b"}")], ids=["list", "object"])
@pytest.mark.parametrize("depth", [500, 900, 1_100, 3_000, 100_000])
def test_no_depth_raises(made: Callable[[int], bytes], depth: int) -> None:
    found = decoder({"a": "int8"}, bytes_max=1 << 20).decode([b'{"a":2}', made(depth)])
    assert 0 not in found.rejected
    assert all(error.reason == Reason.UNDECODABLE for error in found.rejected.values())

"""The strict way: what is wrong with one record, in words that help."""

import struct

import pytest

from streamproc.codecs.fields import FieldType
from streamproc.codecs.json_strict import StrictJson
from streamproc.core import Reason, RecordError


def strict(**fields: str) -> StrictJson:
    return StrictJson({n.replace("__", "."): FieldType.parse(t) for n, t in fields.items()})


def refusal(reader: StrictJson, value: bytes | None) -> tuple[str, str]:
    with pytest.raises(RecordError) as raised:
        reader.row(value)
    return raised.value.reason, raised.value.detail


def test_values_come_in_the_order_of_the_fields_and_lists_as_buffers() -> None:
    reader = strict(b="int8", x="float32[2]", a="str", n="int16[2]")
    scalars, lists = reader.row(b'{"n":[3,4],"a":"t","x":[1,2.5],"b":-128,"more":[[{}]]}')
    assert scalars == (-128, "t")
    assert lists == (struct.pack("=dd", 1, 2.5), struct.pack("=qq", 3, 4))


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, Reason.EMPTY, "null"),
        (b"", Reason.EMPTY, "no bytes"),
        (b" \n", Reason.EMPTY, "no bytes"),
        (b"{", Reason.UNDECODABLE, "no JSON"),
        (b'{"a":1}}', Reason.UNDECODABLE, "trailing characters"),
        (b'{"a":"\xff"}', Reason.UNDECODABLE, "utf-8"),
        (b'{"a":"\\ud800"}', Reason.UNDECODABLE, "no JSON"),
        ('{"a":1}'.encode("utf-16"), Reason.UNDECODABLE, "no JSON"),
        (b"[" * 100_000, Reason.UNDECODABLE, "no JSON"),
        (b'{"a":' + b"9" * 5_000 + b"}", Reason.UNDECODABLE, "out of range"),
        (b'{"a":NaN}', Reason.NOT_FINITE, "'NaN' is no finite number"),
        (b'{"b":[-Infinity, NaN],"a":1}', Reason.NOT_FINITE, "'-Infinity'"),
        (b'{"a":1e400}', Reason.NOT_FINITE, "'1e400'"),
        (b'{"a":NaN', Reason.UNDECODABLE, "no JSON"),
        (b"[1]", Reason.WRONG_TYPE, "a JSON object is needed, not a list"),
        (b"1", Reason.WRONG_TYPE, "a JSON object is needed, not the number '1'"),
        (b'"NaN"', Reason.WRONG_TYPE, "not the text"),
        (b"null", Reason.WRONG_TYPE, "not null"),
    ],
)
def test_a_record_that_is_no_object(value: bytes | None, reason: Reason, detail: str) -> None:
    found = refusal(strict(a="int64"), value)
    assert found[0] == reason
    assert detail in found[1]


@pytest.mark.parametrize(
    ("kind", "text", "reason", "detail"),
    [
        ("int64", "true", Reason.WRONG_TYPE, "field 'a' must be int64, is a boolean"),
        ("int64", "1.0", Reason.WRONG_TYPE, "is the number '1.0'"),
        ("int64", "9223372036854775808", Reason.WRONG_TYPE, "is the number '9223372036854775808'"),
        ("int8", "128", Reason.WRONG_TYPE, "must be int8, is the number '128'"),
        ("int8", "null", Reason.WRONG_TYPE, "is null"),
        ("int8", '"1"', Reason.WRONG_TYPE, "is the text '1'"),
        ("float64", '"1"', Reason.WRONG_TYPE, "is the text '1'"),
        ("float64", "false", Reason.WRONG_TYPE, "is a boolean"),
        ("float64", "9" * 400, Reason.NOT_FINITE, "field 'a' does not fit in float64"),
        ("float32", "3.5e38", Reason.NOT_FINITE, "field 'a' does not fit in float32"),
        ("bool", "1", Reason.WRONG_TYPE, "must be bool, is the number '1'"),
        ("str", "1", Reason.WRONG_TYPE, "must be str, is the number '1'"),
        ("bool", "{}", Reason.WRONG_TYPE, "is an object"),
        ("float32[2]", "1", Reason.WRONG_TYPE, "must be float32[2], is the number '1'"),
        ("float32[2]", "[1]", Reason.WRONG_LENGTH, "must have 2 numbers, has 1"),
        ("float32[2]", "[1,2,3]", Reason.WRONG_LENGTH, "must have 2 numbers, has 3"),
        ("float32[2]", "[[1,2]]", Reason.WRONG_LENGTH, "has 1"),
        ("float32[2]", "[1,[2]]", Reason.WRONG_TYPE, "field 'a[1]' must be float32, is a list"),
        ("float32[2]", "[1,1e39]", Reason.NOT_FINITE, "field 'a[1]' does not fit"),
        ("int8[2]", "[1,true]", Reason.WRONG_TYPE, "field 'a[1]' must be int8, is a boolean"),
        ("int8[2]", "[-129,1]", Reason.WRONG_TYPE, "field 'a[0]' must be int8"),
        ("int64[2]", "[1,2.0]", Reason.WRONG_TYPE, "field 'a[1]' must be int64"),
    ],
)
def test_a_field_of_the_wrong_kind(kind: str, text: str, reason: Reason, detail: str) -> None:
    found = refusal(strict(a=kind), b'{"a":%s}' % text.encode())
    assert found[0] == reason
    assert detail in found[1]


def test_a_missing_field_is_named() -> None:
    reader = strict(a="int8", d__e__f="int8")
    assert refusal(reader, b'{"d":{"e":{"f":1}}}') == (
        Reason.MISSING_FIELD,
        "field 'a' is missing",
    )
    for value in (b'{"a":1}', b'{"a":1,"d":1}', b'{"a":1,"d":{"e":{}}}', b'{"a":1,"d":null}'):
        assert refusal(reader, value) == (Reason.MISSING_FIELD, "field 'd.e.f' is missing")


def test_dots_go_into_objects_first_and_then_stand_for_themselves() -> None:
    reader = strict(d__e="int8")
    assert reader.row(b'{"d":{"e":1}}')[0] == (1,)
    assert reader.row(b'{"d.e":2}')[0] == (2,)
    assert reader.row(b'{"d.e":2,"d":{"e":1}}')[0] == (1,)


def test_a_long_wrong_value_is_cut_short() -> None:
    _, detail = refusal(strict(a="int8"), b'{"a":"%s"}' % (b"secret " * 100))
    assert "..." in detail
    assert len(detail) < 100


@pytest.mark.parametrize("text", ["3.4028234e38", "3.4028235e38", "-3.4028235e38"])
def test_the_largest_float32_fits_as_people_write_it(text: str) -> None:
    strict(a="float32").row(b'{"a":%s}' % text.encode())


def test_of_a_repeated_key_the_first_counts_as_it_does_for_the_fast_way() -> None:
    assert strict(a="int8").row(b'{"a":1,"a":2}')[0] == (1,)
    assert strict(d__e="int8").row(b'{"d":{"e":1,"e":"x"},"d":{"e":3}}')[0] == (1,)


def test_a_byte_order_mark_is_passed_over() -> None:
    assert strict(a="int8").row(b'\xef\xbb\xbf{"a":1}')[0] == (1,)

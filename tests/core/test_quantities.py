"""Quantities: what is written is what is meant, and what is shown reads back."""

from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from streamproc.core import Duration, Size

KINDS = (Duration, Size)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("250us", 250_000),
        ("20ms", 20_000_000),
        (" 5 s ", 5_000_000_000),
        ("1.5ms", 1_500_000),
        ("0.5ns", 0),
        ("2m", 120_000_000_000),
        ("1h", 3_600_000_000_000),
        ("30d", 2_592_000_000_000_000),
        ("0", 0),
        ("0ms", 0),
    ],
)
def test_durations_are_nanoseconds(text: str, ns: int) -> None:
    assert Duration.parse(text) == ns


@pytest.mark.parametrize(("text", "size"), [("7B", 7), ("512KiB", 1 << 19), ("1.5GiB", 3 << 29)])
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert Size.parse(text) == size


@pytest.mark.parametrize("kind", KINDS)
def test_zero_and_its_own_kind_pass_as_they_are(kind: type[Duration | Size]) -> None:
    assert kind.parse(0) == 0
    once = kind.parse(kind.example)
    assert kind.parse(once) is once


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "5",
            "ms",
            "-5ms",
            "5 parsecs",
            "5MS",
            "1e3ms",
            "1,5ms",
            "\u0661ms",
            "5ms 3us",
            "nan",
            ".5s",
        ),
        *(5, 5.0, True, False, None, b"5ms", ["5ms"], Size.parse("1KiB")),
    ],
)
def test_anything_else_is_refused_and_the_text_says_what_to_write(value: object) -> None:
    with pytest.raises(ValueError, match=r"is no duration: .*one of ns, us, ms, .* such as 50ms"):
        Duration.parse(value)


def test_a_size_needs_binary_units() -> None:
    with pytest.raises(ValueError, match=r"'1MB' is no size: .*B, KiB, MiB, GiB, such as 1MiB"):
        Size.parse("1MB")


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(KINDS), st.integers(0, 2**63 - 1))
@example(Duration, 10**16 + 1)
def test_what_is_shown_reads_back(kind: type[Duration | Size], number: int) -> None:
    quantity = kind(number)
    assert kind.parse(str(quantity)) == number
    assert repr(quantity) == f"{kind.__name__}.parse({str(quantity)!r})"


@settings(max_examples=100, deadline=None)
@given(st.decimals(0, 10**5, places=9), st.sampled_from(sorted(Duration.units)))
def test_a_fraction_is_rounded_once_and_exactly(number: Decimal, unit: str) -> None:
    assert Duration.parse(f"{number:f}{unit}") == round(number * Duration.units[unit])


def test_pydantic_reads_them_and_shows_the_text_form_in_its_schema() -> None:
    adapter = TypeAdapter(Duration)
    assert adapter.validate_python("20ms") == 20_000_000
    with pytest.raises(ValidationError, match="is no duration"):
        adapter.validate_python("20")
    assert adapter.json_schema()["examples"] == ["50ms"]


def test_they_calculate_like_integers() -> None:
    assert Duration.parse("1ms") * 3 + 1 == 3_000_001

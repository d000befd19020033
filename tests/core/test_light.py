"""A light value is a frozen dataclass in all but the price."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, fields, replace

import pytest

from streamproc.core import light


@light
@dataclass(frozen=True, slots=True)
class Value:
    size: int
    names: list[str] = field(default_factory=list)
    secret: bytes = field(default=b"?", repr=False)
    word: str = field(default="", kw_only=True)


def test_arguments_defaults_and_what_a_dataclass_can_do_stay() -> None:
    value = Value(3, ["a"], word="b")
    assert (value.size, value.names, value.secret, value.word) == (3, ["a"], b"?", "b")
    assert replace(value, size=4) == Value(4, ["a"], word="b")
    assert repr(value).endswith("Value(size=3, names=['a'], word='b')")
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - our own
    assert [f.name for f in fields(value)] == ["size", "names", "secret", "word"]


def test_each_has_its_own_defaults() -> None:
    assert Value(1).names is not Value(1).names
    with pytest.raises(TypeError):
        Value()  # type: ignore[call-arg]


def test_what_must_be_checked_when_it_is_made_cannot_be_light() -> None:
    @dataclass(frozen=True)
    class Checked:
        size: int

        def __post_init__(self) -> None:
            if self.size < 0:
                raise ValueError

    with pytest.raises(TypeError, match="Checked has a __post_init__"):
        light(Checked)

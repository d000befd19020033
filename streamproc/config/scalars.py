"""How single values are read and described: texts, numbers, truth values, quantities.

Each reader says in plain words what would be right; a ``Secret`` hides itself in ``{value!r}``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from reprlib import Repr

from pydantic import PlainValidator, WithJsonSchema

from streamproc.config.secrets import Secret
from streamproc.core import Duration, Size

_INT64_MAX = 2**63 - 1
"""Quantities are calculated with as int64: 292 years, 8 EiB."""
_short = Repr()
_short.maxstring = _short.maxother = 60


def shown(value: object) -> str:
    """A value as a message shows it: short, null for None, secrets hidden."""
    match value:
        case None:
            return "nothing (null)"
        case bool():
            return str(value).lower()
        case Secret():
            return repr(value)
        case dict() | list():
            return "a mapping" if isinstance(value, dict) else "a list"
        case _:
            return _short.repr(value)


def read_text(value: object) -> str:
    """A text as it is.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str):
        return value
    quoted = (
        f'; put it in quotes: "{shown(value)}"' if isinstance(value, bool | int | float) else ""
    )
    msg = f"must be a text, was {shown(value)}{quoted}"
    raise ValueError(msg)


def read_whole(value: object) -> int:
    """A whole number; digits in a text count, since that is what ``${env:...}`` brings.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) < 20:  # noqa: PLR2004 - the digits of int64
        try:
            return int(value)
        except ValueError:
            pass
    msg = f"must be a whole number, was {shown(value)}"
    raise ValueError(msg)


def read_number(value: object) -> float:
    """A finite number, or a text of one.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    msg = f"must be a number, was {shown(value)}"
    raise ValueError(msg)


def read_flag(value: object) -> bool:
    """``true`` or ``false``.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in {"true", "false"}:
        return value.lower() == "true"
    msg = f"must be true or false, was {shown(value)}"
    raise ValueError(msg)


@dataclass(frozen=True)
class _Quantity:
    """Reads a quantity of one kind."""

    kind: type[Duration] | type[Size]

    def __call__(self, value: object) -> Duration | Size:
        """The quantity.

        Raises:
            ValueError: it is none.
        """
        try:
            quantity = self.kind.parse(value)
        except (ValueError, OverflowError):
            units = ", ".join(self.kind.units)
            message = f"must be a {self.kind.what} such as {self.kind.example} (units: {units}), was {shown(value)}"
            raise ValueError(message) from None
        if quantity > _INT64_MAX:
            msg = f"must be a {self.kind.what} below 2^63, was {shown(value)}"
            raise ValueError(msg)
        return quantity

    @property
    def json_schema(self) -> dict[str, object]:
        """The text's schema; a bare 0 needs no unit."""
        text = self.kind.__get_pydantic_json_schema__(None, None)
        return text | {"type": ["string", "integer"], "minimum": 0, "maximum": 0}


@dataclass(frozen=True)
class Scalar:
    """One kind of single value.

    Attributes:
        words: what it is, for people.
        read: makes it of the file's value, or raises ValueError.
        json_schema: its JSON Schema.
    """

    words: str
    read: Callable[[object], object]
    json_schema: dict[str, object]

    @property
    def markers(self) -> tuple[object, ...]:
        """The same for pydantic, to stand in an ``Annotated``."""
        return PlainValidator(self.read), WithJsonSchema(self.json_schema)


SCALARS: dict[object, Scalar] = {
    str: Scalar("text", read_text, {"type": "string"}),
    int: Scalar("whole number", read_whole, {"type": "integer"}),
    float: Scalar("number", read_number, {"type": "number"}),
    bool: Scalar("true or false", read_flag, {"type": "boolean"}),
    Duration: Scalar("duration", _Quantity(Duration), _Quantity(Duration).json_schema),
    Size: Scalar("size", _Quantity(Size), _Quantity(Size).json_schema),
    object: Scalar("anything", lambda value: value, {}),
}

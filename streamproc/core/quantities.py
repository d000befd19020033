"""Quantities with a unit, as they stand in configurations: ``50ms``, ``1MiB``.

Both are integers (nanoseconds, bytes), so that they calculate like one; what makes them is written
with its unit. pydantic finds the hooks by name: this module does not import it.
"""

import re
from fractions import Fraction
from typing import ClassVar, Self

_TEXT = re.compile(r"^\s*([0-9]{1,19}(?:\.[0-9]{1,9})?)\s*([a-zA-Z]+)\s*$")


class _Quantity(int):
    """An integer written as a number with a unit."""

    units: ClassVar[dict[str, int]]
    what: ClassVar[str]
    example: ClassVar[str]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read ``"50ms"``; 0 and an instance of this class pass as they are.

        Raises:
            ValueError: it is no such quantity; the text says what one looks like.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str) and (match := _TEXT.match(value)):
            number, unit = match.groups()
            if unit in cls.units:  # exact: a float would lose the last digits of a long time
                return cls(round(Fraction(number) * cls.units[unit]))
        if value in (0, "0") and not isinstance(value, bool):
            return cls(0)
        msg = f"{value!r} is no {cls.what}: write a number and one of {', '.join(cls.units)}, such as {cls.example}"
        raise ValueError(msg)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> dict[str, object]:
        """A schema that reads with ``parse`` (pydantic's hook)."""
        return {"type": "function-plain", "function": {"type": "no-info", "function": cls.parse}}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: object, handler: object) -> dict[str, object]:
        """The JSON Schema of the text (pydantic's hook)."""
        units = "|".join(cls.units)
        return {
            "type": "string",
            "pattern": rf"^[0-9]+(\.[0-9]+)?\s*({units})$|^0$",
            "examples": [cls.example],
        }

    def __str__(self) -> str:
        """The shortest text that reads back as the same number."""
        for unit, size in sorted(self.units.items(), key=lambda item: -item[1]):
            if self and int(self) % size == 0:
                return f"{int(self) // size}{unit}"
        return "0"

    def __repr__(self) -> str:
        return f"{type(self).__name__}.parse({str(self)!r})"


class Duration(_Quantity):
    """A length of time in nanoseconds, written ``250us``, ``20ms``, ``5s``, ``2m``, ``1h``, ``30d``."""

    units: ClassVar[dict[str, int]] = {
        "ns": 1,
        "us": 1_000,
        "ms": 1_000_000,
        "s": 1_000_000_000,
        "m": 60_000_000_000,
        "h": 3_600_000_000_000,
        "d": 86_400_000_000_000,
    }
    what: ClassVar[str] = "duration"
    example: ClassVar[str] = "50ms"


class Size(_Quantity):
    """A number of bytes, written ``512KiB``, ``1MiB``, ``2GiB``."""

    units: ClassVar[dict[str, int]] = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
    what: ClassVar[str] = "size"
    example: ClassVar[str] = "1MiB"

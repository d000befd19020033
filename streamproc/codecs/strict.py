"""One value against its field's type, slowly and exactly: the value as the column needs it, or what is wrong with it."""

import math

import numpy as np

from streamproc.codecs.fields import FieldType
from streamproc.core import Reason, RecordError

_SHOWN_CHARACTERS = 40
"""How much of a wrong value a message shows: enough to recognise it, too little to log a payload."""


def strict_scalar(name: str, kind: FieldType, item: object) -> object:
    """A single value.

    Raises:
        RecordError: it is of another type.
    """
    if kind.dtype == "str" and isinstance(item, str):
        return item
    if kind.dtype == "bool" and isinstance(item, bool):
        return item
    if kind.is_integer or kind.is_float:
        return _number(name, kind, item)
    raise RecordError(Reason.WRONG_TYPE, f"field {name!r} must be {kind}, is {kind_of(item)}")


def strict_list(name: str, kind: FieldType, item: object) -> bytes:
    """A list of numbers as a buffer of float64 or int64.

    Raises:
        RecordError: it is no list, has another length, or holds something else.
    """
    if not isinstance(item, list):
        raise RecordError(Reason.WRONG_TYPE, f"field {name!r} must be {kind}, is {kind_of(item)}")
    if len(item) != kind.size:
        raise RecordError(
            Reason.WRONG_LENGTH, f"field {name!r} must have {kind.size} numbers, has {len(item)}"
        )
    single = FieldType(kind.dtype)
    numbers = [_number(f"{name}[{i}]", single, number) for i, number in enumerate(item)]
    return np.array(numbers, np.float64 if kind.is_float else np.int64).tobytes()


def kind_of(item: object) -> str:
    """What a value is, in words."""
    names = {dict: "an object", list: "a list", type(None): "null", bool: "a boolean"}
    if type(item) in names:
        return names[type(item)]
    if isinstance(item, bytes):
        return "bytes"
    return f"the {'text' if isinstance(item, str) else 'number'} {cut(str(item))!r}"


def cut(text: str) -> str:
    """As much of a text as may be shown."""
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _number(name: str, kind: FieldType, item: object) -> int | float:
    if isinstance(item, bool) or not isinstance(item, int | float):
        raise RecordError(Reason.WRONG_TYPE, f"field {name!r} must be {kind}, is {kind_of(item)}")
    if kind.is_integer:
        least, most = kind.limits
        if not isinstance(item, int) or not least <= item <= most:
            raise RecordError(
                Reason.WRONG_TYPE, f"field {name!r} must be {kind}, is {kind_of(item)}"
            )
        return item
    try:
        number = float(item)
    except OverflowError:
        number = math.inf
    with np.errstate(over="ignore"):
        fits = np.isfinite(np.dtype(kind.dtype).type(number))  # 3.4028235e38 rounds to what fits
    if not fits:
        raise RecordError(Reason.NOT_FINITE, f"field {name!r} does not fit in {kind.dtype}")
    return number

"""From the values of records to typed columns, with what is wrong of those that do not fit."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np

from streamproc.codecs.fields import FieldType, narrowed, not_finite
from streamproc.codecs.strict import strict_list, strict_scalar
from streamproc.core import Array, BoolArray, Columns, Reason, RecordError, object_column

_PYTHON_TYPES: dict[str, set[type]] = {"str": {str}, "bool": {bool}}


def columns_of(
    fields: Mapping[str, FieldType],
    rows: list[tuple[Any, ...]],
    records: list[int],
    rejected: dict[int, RecordError],
) -> Columns:
    """The columns of rows that fit; the others are taken out of ``rows`` and ``records`` and rejected.

    Args:
        fields: the types by name, in the order of the values.
        rows: the values of each record, None for what is not there; lists as lists.
        records: the record's number of each.
        rejected: takes what is wrong.
    """
    while True:
        columns, unfit = _columns(fields, rows)
        if unfit is None:
            return columns
        for place in np.flatnonzero(unfit).tolist()[::-1]:
            rejected[records[place]] = _explain(fields, rows[place])
            del rows[place], records[place]


def scalar_column(values: Sequence[Any], kind: FieldType) -> tuple[Array, BoolArray | None]:
    """The column [n] of single values, and which of them do not fit (never none of them; None: all do)."""
    numbers: set[type] = {int} if kind.is_integer else {int, float}
    allowed = _PYTHON_TYPES.get(kind.dtype, numbers)
    if not set(map(type, values)) <= allowed:
        wrong = np.array([type(v) not in allowed for v in values], np.bool_)
        return np.zeros(len(values), kind.numpy), wrong
    if kind.dtype == "str":
        return object_column(values), None
    if kind.is_integer:
        least, most = kind.limits
        if values and (min(values) < least or max(values) > most):
            wrong = np.array([not least <= v <= most for v in values], np.bool_)
            return np.zeros(len(values), kind.numpy), wrong
    column = narrowed(np.array(values, np.float64 if kind.is_float else kind.numpy), kind)
    return column, not_finite(column, kind)


def _columns(
    fields: Mapping[str, FieldType], rows: list[tuple[Any, ...]]
) -> tuple[Columns, BoolArray | None]:
    """The columns, and which rows do not fit their types (bool [n]; None where all do)."""
    unfit: BoolArray | None = None
    columns: Columns = {}
    turned: Sequence[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * len(fields)
    for values, (name, kind) in zip(turned, fields.items(), strict=True):
        make = _list_column if kind.shape else scalar_column
        columns[name], wrong = make(values, kind)
        if wrong is not None:
            unfit = wrong if unfit is None else unfit | wrong
    return columns, unfit


def _list_column(lists: Sequence[Any], kind: FieldType) -> tuple[Array, BoolArray | None]:
    """The column [n, length] of lists, and which rows do not fit (never none of them; None: all do)."""
    right = [type(item) is list and len(item) == kind.size for item in lists]
    if not all(right):
        return np.zeros((len(lists), kind.size), kind.numpy), ~np.array(right, np.bool_)
    wide = np.float64 if kind.is_float else np.int64
    try:
        flat = np.fromiter(chain.from_iterable(lists), wide, len(lists) * kind.size)
    except (TypeError, ValueError, OverflowError):
        return np.zeros((len(lists), kind.size), kind.numpy), _strictly(lists, kind)
    matrix = flat.reshape(len(lists), kind.size)
    if kind.is_integer:
        if not set(map(type, chain.from_iterable(lists))) <= {int}:
            return matrix.astype(kind.numpy), _strictly(lists, kind)
        if kind.dtype != "int64":
            least, most = kind.limits
            wrong: BoolArray = np.any((matrix < least) | (matrix > most), axis=1)
            return matrix.astype(kind.numpy), wrong if wrong.any() else None
    column = narrowed(matrix, kind)
    return column, not_finite(column, kind)


def _strictly(lists: Sequence[Any], kind: FieldType) -> BoolArray:
    """Which lists hold something that is no number of the kind."""

    def fits(item: object) -> bool:
        try:
            strict_list("", kind, item)
        except RecordError:
            return False
        return True

    return np.array([not fits(item) for item in lists], np.bool_)


def _explain(fields: Mapping[str, FieldType], row: tuple[Any, ...]) -> RecordError:
    """What is wrong with a row that does not fit."""
    for item, (name, kind) in zip(row, fields.items(), strict=True):
        if item is None:
            return RecordError(Reason.MISSING_FIELD, f"field {name!r} is missing")
        try:
            (strict_list if kind.shape else strict_scalar)(name, kind, item)
        except RecordError as error:
            return error
    return RecordError(Reason.WRONG_TYPE, "a value does not fit its field's type")

"""Numbers made of an event's own numbers: cast, scale, formula."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Columns
from streamproc.features.expressions import Expression
from streamproc.features.operators.operator import NUMBER, Need, View, field_of

Dtype = Literal["float32", "float64", "int8", "int16", "int32", "int64", "bool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """A field in another type.

    Attributes:
        field: the field.
        dtype: the type. A number outside of it becomes the nearest one in it; a fraction is cut off.
        as_: the name of what is made.
    """

    field: str
    dtype: Dtype
    as_: str | None = None

    @property
    def need(self) -> Need | None:
        """Nothing."""
        return None

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        kind = field_of(fields, self.field, single=False)
        return {self.as_ or f"{self.field}_{self.dtype}": FieldType(self.dtype, kind.shape)}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        column, kind = view.columns[self.field], FieldType(self.dtype)
        if kind.is_integer and column.dtype.kind != "b":
            low, high = kind.limits
            if column.dtype.kind == "f":
                # 2^63 - 1 is no float64: what is at or above it is set afterwards.
                whole = np.trunc(column.astype(np.float64))
                cast = np.clip(whole, float(low), np.nextafter(float(high) + 1, 0)).astype(np.int64)
                column = np.where(whole >= float(high), high, cast).astype(kind.numpy)
            else:
                column = np.clip(column, low, high).astype(kind.numpy)
        elif kind.is_float:
            with np.errstate(over="ignore"):
                column = column.astype(kind.numpy)
        else:
            column = column.astype(kind.numpy)
        return {self.as_ or f"{self.field}_{self.dtype}": column}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A number made of the usual size: ``(x - mean) / std``, then held within bounds.

    Attributes:
        field: the field: a number, or an array of numbers.
        mean: what is taken off.
        std: what is divided by.
        low: the least that comes out; null for no bound.
        high: the most that comes out; null for no bound.
        as_: the name of what is made.
    """

    field: str
    mean: float = 0.0
    std: float = 1.0
    low: float | None = None
    high: float | None = None
    as_: str | None = None

    def __post_init__(self) -> None:
        if not self.std > 0:
            msg = f"std must be above 0, was {self.std}"
            raise ValueError(msg)

    @property
    def need(self) -> Need | None:
        """Nothing."""
        return None

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        kind = field_of(fields, self.field, single=False)
        return {self.as_ or f"{self.field}_scaled": FieldType("float64", kind.shape)}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        scaled = (view.numbers(self.field) - self.mean) / self.std
        if self.low is not None:
            scaled = np.maximum(scaled, self.low)
        if self.high is not None:
            scaled = np.minimum(scaled, self.high)
        return {self.as_ or f"{self.field}_scaled": scaled}


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A number calculated from fields, as in ``lanes``: ``ask - bid``.

    Attributes:
        of: the expression; a condition gives 1 or 0, and what has no value (a division by zero) 0.
        as_: the name of what is made.
    """

    of: str
    as_: str

    @property
    def need(self) -> Need | None:
        """Nothing."""
        return None

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        Expression.parse(self.of, {name: str(kind) for name, kind in fields.items()})
        return {self.as_: NUMBER}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        return {self.as_: view.expressions[self.of].values(view.columns, len(view))}

"""Numbers made of categories: one-hot, hash, bucket."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Columns, Int64Array
from streamproc.features.hashing import fnv1a
from streamproc.features.operators.operator import Need, View, field_of


@dataclass(frozen=True, slots=True, kw_only=True)
class OneHot:
    """A 1 at the place of the event's category, 0 at all others; all 0 where it is none of them.

    Attributes:
        field: the field: text, or a whole number.
        values: the categories, as text.
        as_: the name of what is made.
    """

    field: str
    values: Sequence[str]
    as_: str | None = None

    @property
    def need(self) -> Need | None:
        """Nothing."""
        return None

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        require_category(fields, self.field)
        return {self.as_ or f"{self.field}_one_hot": FieldType("float64", (len(self.values),))}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        column = view.columns[self.field]
        places = {value: place for place, value in enumerate(self.values)}
        texts = column.tolist() if column.dtype == np.object_ else map(str, column.tolist())
        place = np.fromiter((places.get(t, -1) for t in texts), np.int64, len(column))
        return {
            self.as_ or f"{self.field}_one_hot": (
                place[:, np.newaxis] == np.arange(len(self.values))
            ).astype(np.float64)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Hash:
    """A category's number from 0 to ``buckets - 1``, by its hash (FNV-1a, 64 bit): the same in any language and on any day.

    Attributes:
        field: the field: text, or a whole number, which is hashed as its decimal digits.
        buckets: how many numbers there are.
        as_: the name of what is made.
    """

    field: str
    buckets: int
    as_: str | None = None

    def __post_init__(self) -> None:
        if self.buckets < 1:
            msg = f"buckets must be at least 1, was {self.buckets}"
            raise ValueError(msg)

    @property
    def need(self) -> Need | None:
        """Nothing."""
        return None

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        require_category(fields, self.field)
        return {self.as_ or f"{self.field}_hash": FieldType("int64")}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        listed = view.columns[self.field].tolist()
        known = {item: fnv1a(str(item).encode()) % self.buckets for item in set(listed)}
        bucket: Int64Array = np.fromiter((known[item] for item in listed), np.int64, len(listed))
        return {self.as_ or f"{self.field}_hash": bucket}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Between which edges a number lies: 0 below the first, 1 from the first up to the second, and so on.

    Attributes:
        field: the field.
        edges: ascending; a number that is an edge belongs to the bucket above it.
        as_: the name of what is made.
    """

    field: str
    edges: Sequence[float]
    as_: str | None = None

    def __post_init__(self) -> None:
        if not self.edges or any(b <= a for a, b in zip(self.edges, self.edges[1:], strict=False)):
            msg = f"edges must be ascending numbers, was {list(self.edges)}"
            raise ValueError(msg)

    @property
    def need(self) -> Need | None:
        """Nothing."""
        return None

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        field_of(fields, self.field)
        return {self.as_ or f"{self.field}_bucket": FieldType("int64")}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        edges = np.asarray(self.edges, np.float64)
        place = np.searchsorted(edges, view.numbers(self.field), side="right")
        return {self.as_ or f"{self.field}_bucket": place}


def require_category(fields: Mapping[str, FieldType], name: str) -> None:
    """See that a field is a category.

    Raises:
        ValueError: it is not there, or of another type.
    """
    kind = field_of(fields, name, text=True)
    if kind.is_float:
        msg = f"{name!r} is {kind}: a category is a text or a whole number; bucket takes numbers"
        raise ValueError(msg)

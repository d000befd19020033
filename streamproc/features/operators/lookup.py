"""Enrichment: what a table says of an event's category."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Columns, Float64Array
from streamproc.features.operators.categories import require_category
from streamproc.features.operators.operator import NUMBER, Need, View, refuse


@dataclass(frozen=True, slots=True)
class Table:
    """What a lookup looks into.

    Attributes:
        rows: the row of each value.
        columns: by name, float64 [rows + 1]; the last row stands for values that the table does not have.
    """

    rows: Mapping[str, int]
    columns: Mapping[str, Float64Array]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Numbers that a table in a file has for an event's category, such as a symbol's tick size.

    Attributes:
        field: the field: text, or a whole number.
        file: a CSV file with a header, read once, at the start.
        key: the file's column that the field is looked for in; each value stands there once.
        fields: the file's columns of numbers that are taken over.
        missing: where the file has no such value: ``fill``, or the event becomes a ``dead_letter`` with reason
            ``no_partner``.
        fill: what stands for the numbers then.
        as_: what the names of the columns begin with: ``lookup_tick_size``.
    """

    field: str
    file: str
    key: str
    fields: Sequence[str]
    missing: Literal["fill", "dead_letter"] = "fill"
    fill: float = 0.0
    as_: str = "lookup"

    def __post_init__(self) -> None:
        if not self.fields:
            msg = "fields must name at least one column of the file"
            raise ValueError(msg)

    @property
    def need(self) -> Need | None:
        """Nothing."""
        return None

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        require_category(fields, self.field)
        return {f"{self.as_}_{name}": NUMBER for name in self.fields}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        table = view.tables[self.as_]
        listed = view.columns[self.field].tolist()
        nowhere = len(table.rows)
        row = np.fromiter(
            (table.rows.get(str(item), nowhere) for item in listed), np.int64, len(listed)
        )
        if self.missing == "dead_letter":
            refuse(view, "no_partner", row == nowhere)
        return {f"{self.as_}_{name}": table.columns[name][row] for name in self.fields}

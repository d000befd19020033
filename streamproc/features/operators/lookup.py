"""Enrichment: what a table says of an event's category."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import BoolArray, Columns, Duration, Float64Array, Int64Array
from streamproc.features.operators.categories import require_category
from streamproc.features.operators.operator import NUMBER, Need, View, refuse
from streamproc.features.tables import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Numbers that a table has for an event's category, such as a symbol's tick size: of a file, a compacted topic, or a function.

    Attributes:
        field: the field: text, or a whole number.
        fields: the numbers that are taken over: the file's columns, fields of the topic's JSON objects, or keys of the
            function's answers.
        file: a CSV file with a header, read once, at the start.
        key: the file's column that the field is looked for in; each value stands there once.
        topic: a compacted topic of the source's cluster, whose records' keys are what the field is looked for in and
            whose values are JSON objects. It is read to its end before the pipeline is ready, and followed from then on;
            a record without a value takes its key out.
        python: a function, ``package.module:name``. It is given a list of values, each once, and gives a mapping from
            those that there are to mappings of numbers; it is called on the event loop, so it must be quick.
        ttl: how long an answer of the function holds, by event time; null for ever.
        max_keys: how many keys of the topic, or answers, are kept; of more, those that were put there first go.
        missing: where there is no such value: ``fill``, or the event becomes a ``dead_letter`` with reason
            ``no_partner``.
        fill: what stands for the numbers then.
        as_: what the names of the columns begin with: ``lookup_tick_size``.
    """

    field: str
    fields: Sequence[str]
    file: str | None = None
    key: str | None = None
    topic: str | None = None
    python: str | None = None
    ttl: Duration | None = None
    max_keys: int = 100_000
    missing: Literal["fill", "dead_letter"] = "fill"
    fill: float = 0.0
    as_: str = "lookup"

    def __post_init__(self) -> None:
        if not self.fields:
            msg = "fields must name at least one column of numbers"
            raise ValueError(msg)
        if sum(where is not None for where in (self.file, self.topic, self.python)) != 1:
            msg = "needs a file, a topic or python, and one of them only"
            raise ValueError(msg)
        if (self.file is None) != (self.key is None):
            msg = "key is the column of a file: write it with file, and with nothing else"
            raise ValueError(msg)
        if self.ttl is not None and (self.python is None or self.ttl <= 0):
            msg = "ttl must be longer than 0, and is of the answers of python"
            raise ValueError(msg)
        if self.max_keys < 1:
            msg = f"max_keys must be at least 1, was {self.max_keys}"
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
        """See ``Operator``.

        Raises:
            Exception: whatever the user's function raises.
        """
        columns = view.columns
        if self._found in columns:
            numbers, there = columns[self._found], columns[self._there].astype(np.bool_, copy=False)
        else:
            numbers, there = self._look(columns, view.tables[self.as_], view.time_ns)
        if self.missing == "dead_letter":
            refuse(view, "no_partner", ~there)
        return {
            f"{self.as_}_{name}": np.where(there, numbers[:, place], self.fill)
            for place, name in enumerate(self.fields)
        }

    def arrived(self, columns: Columns, table: Table, time_ns: Int64Array) -> Columns:
        """What events find that will wait for their turn: what was known when they arrived, not what is known then.

        Args:
            columns: the decoded fields, each [n, ...].
            table: what is looked into.
            time_ns: int64 [n], when they happened.

        Returns:
            columns for ``compute``; none where the table never changes, or where what is looked for is not made yet.
        """
        if self.topic is None or self.field not in columns:
            return {}
        numbers, there = self._look(columns, table, time_ns)
        return {self._found: numbers, self._there: there}

    def _look(
        self, columns: Columns, table: Table, time_ns: Int64Array
    ) -> tuple[Float64Array, BoolArray]:
        return table.look([str(item) for item in columns[self.field].tolist()], time_ns)

    @property
    def _found(self) -> str:
        """A column that no field can be called like."""
        return f"{self.as_}\0"

    @property
    def _there(self) -> str:
        return f"{self.as_}\0there"

"""Enrichment: what a table says of an event's category."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Columns, Duration
from streamproc.features.operators.categories import require_category
from streamproc.features.operators.operator import NUMBER, Need, View, refuse


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
        keys = [str(item) for item in view.columns[self.field].tolist()]
        numbers, there = view.tables[self.as_].look(keys, view.time_ns)
        if self.missing == "dead_letter":
            refuse(view, "no_partner", ~there)
        return {
            f"{self.as_}_{name}": np.where(there, numbers[:, place], self.fill)
            for place, name in enumerate(self.fields)
        }

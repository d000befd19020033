"""The as-of join: an event with another as it was at that time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Columns, Duration, Float64Array
from streamproc.features.history import ABSENT_NS
from streamproc.features.operators.operator import NUMBER, Need, View, field_of, refuse, window_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AsOf:
    """Fields of the key's latest event that matches ``when`` and happened no later than this one: a trade with the quote as it was.

    The latest is by event time; of several at the same instant, the one that came last. Only those count that
    came before this event.

    Attributes:
        when: which events are the other side, such as ``kind == 'quote'``.
        fields: the fields that are taken over.
        within: how long before this event it may have happened.
        max_events: among how many of the last matching events of the key it is looked for: with events out of order
            by so many, the one that was valid is still found.
        missing: where there is none: ``fill``, or the event becomes a ``dead_letter`` with reason ``no_partner``.
        fill: the value of the fields where there is none.
        age: True adds ``..._age``, how many seconds before this event it happened.
        as_: what the names of the fields begin with: ``as_of_bid``.
    """

    when: str
    fields: Sequence[str]
    within: Duration
    max_events: int = 64
    missing: Literal["fill", "dead_letter"] = "fill"
    fill: float = 0.0
    age: bool = False
    as_: str = "as_of"

    def __post_init__(self) -> None:
        window_of(None, self.within, self.max_events)
        if not self.fields and not self.age:
            msg = "fields must name at least one field"
            raise ValueError(msg)

    @property
    def need(self) -> Need | None:
        """The last matching events."""
        return Need(tuple(self.fields), self.max_events, int(self.within), self.when)

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        made = {}
        for name in self.fields:
            field_of(fields, name)
            made[f"{self.as_}_{name}"] = NUMBER
        return made | ({f"{self.as_}_age": NUMBER} if self.age else {})

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        history = view.histories[self.when]
        window = history.window(events=self.max_events, time_ns=int(self.within))
        at_ns = np.where(window.member, history.times(self.max_events), ABSENT_NS)
        # From the end, so that of equals the one that came last is the first that is found.
        place = self.max_events - 1 - np.argmax(at_ns[:, ::-1], axis=1)
        row = np.arange(len(view))
        there = window.member[row, place]
        if self.missing == "dead_letter":
            refuse(view, "no_partner", ~there)
        made: Columns = {}
        for name in self.fields:
            values: Float64Array = history.values(window, name, view.columns)
            made[f"{self.as_}_{name}"] = np.where(there, values[row, place], self.fill)
        if self.age:
            age_ns = view.time_ns - np.where(there, at_ns[row, place], view.time_ns)
            made[f"{self.as_}_age"] = np.where(there, age_ns / 1e9, self.fill)
        return made

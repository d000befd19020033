"""What all operators have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import BoolArray, Columns, Float64Array, Int64Array, ObjectArray, UserFunction
from streamproc.features.expressions import Expression
from streamproc.features.history import History
from streamproc.features.tables import Table

NUMBER = FieldType("float64")
EVENTS_MAX = 65_536
"""Of one window: 512 KiB for each key and field."""


@dataclass(frozen=True, slots=True)
class Need:
    """What an operator has remembered of each key.

    Attributes:
        fields: the fields.
        events: how many events.
        time_ns: how long at most; None where only their number bounds it.
        when: which events are remembered, an expression; None for all.
    """

    fields: tuple[str, ...]
    events: int
    time_ns: int | None
    when: str | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What an operator sees of a batch.

    Attributes:
        columns: the decoded fields and what operators before it made, each [n, ...].
        key: object [n], the events' keys.
        time_ns: int64 [n], when the events happened.
        expressions: the operators' expressions, compiled, by their texts.
        histories: what is remembered, by condition.
        slot: int64 [n], the places of the events' keys in keyed state.
        custom: the user's functions with what they keep, by the name of what they make.
        kept: what other operators keep of keys, by the operator and by name, an array [keys, ...].
        tables: what lookups look into, by their names.
        refused: events for which an operator finds no value that it must have, by reason.
    """

    columns: Columns
    key: ObjectArray
    time_ns: Int64Array
    expressions: Mapping[str, Expression]
    histories: Mapping[str | None, History]
    slot: Int64Array
    refused: dict[str, BoolArray]
    tables: Mapping[str, Table]
    custom: Mapping[str, tuple[UserFunction, Columns]]
    kept: Mapping[str, Columns]

    def __len__(self) -> int:
        return len(self.time_ns)

    def holds(self, when: str | None) -> BoolArray:
        """For which events (bool [n]) a condition holds; for all where there is none."""
        if when is None:
            return np.ones(len(self), np.bool_)
        return self.expressions[when].mask(self.columns, len(self))

    def numbers(self, name: str) -> Float64Array:
        """A field as float64 [n, ...]."""
        return self.columns[name].astype(np.float64)


class Operator(Protocol):
    """Makes columns of a batch. It is a value: what it remembers is in the view's histories."""

    @property
    def need(self) -> Need | None:
        """What it has remembered; None where it looks at the event alone."""
        ...

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """The columns that it makes, by name.

        Args:
            fields: those that there are already.

        Raises:
            ValueError: a field is not there or of no use; the text says what is.
        """
        ...

    def compute(self, view: View) -> Columns:
        """The columns, each [n, ...]; must change nothing."""
        ...


def field_of(
    fields: Mapping[str, FieldType], name: str, *, single: bool = True, text: bool = False
) -> FieldType:
    """The type of a field that an operator takes.

    Args:
        fields: those that there are.
        name: the one that is meant.
        single: whether it must be one number, and no array.
        text: whether it may be a text.

    Raises:
        ValueError: it is not there, or of another type.
    """
    kind = fields.get(name)
    if kind is None:
        msg = (
            f"{name!r} is no field and no name of an operator before: there are {', '.join(fields)}"
        )
        raise ValueError(msg)
    if kind.dtype == "str" and not text:
        msg = f"{name!r} is a str: numbers are needed; make some of it with one_hot or hash"
        raise ValueError(msg)
    if kind.shape and single:
        msg = f"{name!r} is {kind}: a single number is needed"
        raise ValueError(msg)
    return kind


def refuse(view: View, reason: str, rows: BoolArray) -> None:
    """Let events (bool [n]) become dead letters: there is no value that they must have."""
    before = view.refused.get(reason)
    view.refused[reason] = rows if before is None else before | rows


def require_taken(taken: Sequence[str], known: Sequence[str]) -> None:
    """See that some of what is known is taken, and nothing else.

    Raises:
        ValueError: it is not so.
    """
    if not taken or any(name not in known for name in taken):
        msg = f"take must name some of {', '.join(known)}, was {list(taken)}"
        raise ValueError(msg)


def window_of(events: int | None, time_ns: int | None, max_events: int) -> tuple[int, int | None]:
    """A window's bounds: how many events, and how long where that counts.

    Raises:
        ValueError: neither is given, or both are, or one is no window.
    """
    if (events is None) == (time_ns is None):
        msg = "needs events (the last so many), or time (those of so long), and not both"
        raise ValueError(msg)
    size = max_events if events is None else events
    if not 1 <= size <= EVENTS_MAX:
        msg = f"must have from 1 to {EVENTS_MAX} events, was {size}"
        raise ValueError(msg)
    if time_ns is not None and time_ns <= 0:
        msg = "time must be longer than 0, such as 5s"
        raise ValueError(msg)
    return size, time_ns


def window_name(field: str, events: int | None, time: object) -> str:
    """``price_50`` or ``price_5s``."""
    return f"{field}_{time if events is None else events}"

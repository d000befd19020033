"""What a key's events before this one were: last, lag, difference, return, time since."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import NS_PER_S, BoolArray, Columns, Float64Array
from streamproc.features.operators.operator import EVENTS_MAX, NUMBER, Need, View, field_of


@dataclass(frozen=True, slots=True, kw_only=True)
class _Before:
    """An operator over a field and its value some events of the key ago.

    Attributes:
        field: the field.
        by: how many events ago; 1 is the event before this one.
        fill: the value where there were not so many.
        as_: the name of what is made.
    """

    field: str
    by: int = 1
    fill: float = 0.0
    as_: str | None = None

    def __post_init__(self) -> None:
        _require_steps(self.by, "by")

    @property
    def need(self) -> Need | None:
        """The event so long ago, and those since."""
        return Need((self.field,), self.by + 1, None)

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        field_of(fields, self.field)
        return {self._name: NUMBER}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        history = view.histories[None]
        window = history.window(events=self.by + 1)
        before = history.values(window, self.field, view.columns)[:, 0]
        made, known = self._made(view, before)
        return {self._name: np.where(window.member[:, 0] & known, made, self.fill)}

    @property
    def _name(self) -> str:
        return self.as_ or f"{self.field}_{self._word}_{self.by}"

    @property
    def _word(self) -> str:
        raise NotImplementedError

    def _made(self, view: View, before: Float64Array) -> tuple[Float64Array, BoolArray | bool]:
        """What is made of the values so long ago (float64 [n]), and where it is something to go by."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag(_Before):
    """A field's value some events of the key ago."""

    @property
    def _word(self) -> str:
        return "lag"

    def _made(self, view: View, before: Float64Array) -> tuple[Float64Array, BoolArray | bool]:  # noqa: ARG002
        return before, True


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(_Before):
    """How much more a field is than some events of the key ago."""

    @property
    def _word(self) -> str:
        return "difference"

    def _made(self, view: View, before: Float64Array) -> tuple[Float64Array, BoolArray | bool]:
        return view.numbers(self.field) - before, True


@dataclass(frozen=True, slots=True, kw_only=True)
class Return(_Before):
    """By which part a field is more than some events of the key ago: ``x / before - 1``, or ``ln(x / before)``.

    Attributes:
        log: True for the logarithm.
        fill: the value where there were not so many, or where the quotient is nothing to go by (a division by 0; the
            logarithm of what is not above 0).
    """

    log: bool = False

    @property
    def _word(self) -> str:
        return "log_return" if self.log else "return"

    def _made(self, view: View, before: Float64Array) -> tuple[Float64Array, BoolArray | bool]:
        with np.errstate(all="ignore"):
            quotient = view.numbers(self.field) / before
            made = np.log(quotient) if self.log else quotient - 1.0
        return made, np.isfinite(made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Last:
    """The key's last values of a field, oldest first, this event's own at the end.

    Attributes:
        field: the field.
        n: how many.
        fill: the value of those that there were not yet.
        as_: the name of what is made.
    """

    field: str
    n: int
    fill: float = 0.0
    as_: str | None = None

    def __post_init__(self) -> None:
        _require_steps(self.n, "n")

    @property
    def need(self) -> Need | None:
        """So many events."""
        return Need((self.field,), self.n, None)

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        field_of(fields, self.field)
        return {self.as_ or f"{self.field}_last_{self.n}": FieldType("float64", (self.n,))}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        history = view.histories[None]
        window = history.window(events=self.n)
        values = history.values(window, self.field, view.columns)
        if not window.full:
            values = np.where(window.member, values, self.fill)
        return {self.as_ or f"{self.field}_last_{self.n}": values}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSince:
    """How many seconds of event time have passed since the key's last event before this one; below 0 where that happened later.

    Attributes:
        when: since the last event for which this held; null for any. The event itself does not count.
        fill: the value where there was none.
        as_: the name of what is made.
    """

    when: str | None = None
    fill: float = 0.0
    as_: str = "time_since"

    @property
    def need(self) -> Need | None:
        """Two events: this one may be the last."""
        return Need((), 2, None, self.when)

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:  # noqa: ARG002
        """See ``Operator``."""
        return {self.as_: NUMBER}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        history = view.histories[self.when]
        member, at_ns = history.window(events=2).member, history.times(2)
        row = np.arange(len(view))
        place = np.where(view.holds(self.when), 0, 1)
        there = member[row, place]
        since_ns = np.where(there, view.time_ns - np.where(there, at_ns[row, place], 0), 0)
        return {self.as_: np.where(there, since_ns / NS_PER_S, self.fill)}


def _require_steps(steps: int, name: str) -> None:
    if not 1 <= steps < EVENTS_MAX:
        msg = f"{name} must be from 1 to {EVENTS_MAX - 1}, was {steps}"
        raise ValueError(msg)

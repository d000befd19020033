"""A key's last events as a sequence, for convolutional and recurrent models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Columns, Duration, Float64Array
from streamproc.features.hashing import fnv1a
from streamproc.features.history import ABSENT_NS, History, Window
from streamproc.features.operators.operator import EVENTS_MAX, NUMBER, Need, View, field_of


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySequence:
    """The key's last events with some of their fields, ``[steps, features]``, oldest first, this event's own at the end.

    With ``every`` and ``absorb: "_NAME_due == 0"`` there is a decision about each sequence that is due, and about
    nothing else: windows that overlap, cut out of a stream of single samples.

    Attributes:
        fields: the fields of a step, side by side; a list counts with all its numbers.
        steps: how many events.
        when: only events for which this holds; null for all.
        fill: what stands in the steps that there were not yet, which come first.
        every: adds ``_NAME_due``: 1 at the key's first event in each such stretch of event time once all steps are
            there, else 0. Where stretches begin depends on the key, so that not all keys are due at once.
        as_: the name of what is made.
    """

    fields: Sequence[str]
    steps: int
    when: str | None = None
    fill: float = 0.0
    every: Duration | None = None
    as_: str = "sequence"

    def __post_init__(self) -> None:
        if not 1 <= self.steps <= EVENTS_MAX:
            msg = f"steps must be from 1 to {EVENTS_MAX}, was {self.steps}"
            raise ValueError(msg)
        if self.every is not None and (self.every <= 0 or self.steps == 1):
            msg = (
                "every must be longer than 0, such as 1s, and is for sequences of at least 2 steps"
            )
            raise ValueError(msg)
        if not self.fields:
            msg = "fields must name at least one field"
            raise ValueError(msg)

    @property
    def need(self) -> Need | None:
        """The steps."""
        return Need(tuple(self.fields), self.steps, None, self.when)

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        kinds = [field_of(fields, name, single=False) for name in self.fields]
        if any(len(kind.shape) > 1 for kind in kinds):
            msg = "the fields of a step must be numbers or lists of numbers"
            raise ValueError(msg)
        width = sum(kind.size if kind.shape else 1 for kind in kinds)
        due = {} if self.every is None else {f"_{self.as_}_due": NUMBER}
        return {self.as_: FieldType("float64", (self.steps, width))} | due

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        history = view.histories[self.when]
        window = history.window(events=self.steps)
        parts = [history.values(window, name, view.columns) for name in self.fields]
        parts = [part[..., np.newaxis] if part.ndim == 2 else part for part in parts]  # noqa: PLR2004 - [n, steps]
        made = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        if not window.full and self.fill:
            made = np.where(window.member[:, :, np.newaxis], made, self.fill)
        if self.every is None:
            return {self.as_: made}
        return {self.as_: made, f"_{self.as_}_due": self._due(view, history, window, self.every)}

    def _due(self, view: View, history: History, window: Window, every: Duration) -> Float64Array:
        """Where all steps are there and event time has come into another stretch than any step before."""
        shift_ns = np.array([_hash(key or b"") % every for key in view.key.tolist()], np.int64)
        before = window.member[:, :-1]
        at_ns = np.where(before, history.times(self.steps)[:, :-1], ABSENT_NS)
        begins = (view.time_ns + shift_ns) // every > (at_ns.max(axis=1) + shift_ns) // every
        due: Float64Array = (begins & window.member.all(axis=1) & view.holds(self.when)) * 1.0
        return due


_hash = lru_cache(maxsize=65_536)(fnv1a)

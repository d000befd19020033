"""Windows that close: tumbling, hopping and session windows of event time, and the events that close them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import BoolArray, Columns, Duration, Int64Array
from streamproc.features.history import ABSENT_NS, Window
from streamproc.features.operators.operator import (
    NUMBER,
    Need,
    View,
    field_of,
    require_taken,
    window_of,
)
from streamproc.features.operators.statistics import Statistic, Statistics


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedWindow:
    """Statistics of the key's last complete window of event time; ``_..._closes`` is 1 at the event that completed it, else 0.

    A window is complete when an event of its key comes whose time is at its end and ``grace`` or later, or, for a
    session, more than ``gap`` and ``grace`` after the session's last one. Where an event completes several windows, the
    last one with members counts. With ``absorb: "_..._closes == 0"`` the decisions are those about windows.

    Attributes:
        field: the field.
        take: which statistics, as of ``rolling``; ``z_score`` is of the closing event's own value.
        size: how long a window is.
        every: how often one begins, the size being a multiple of it; each ``size`` by default (tumbling), else hopping.
        gap: for sessions, instead of ``size``: a session ends when its key is silent for longer.
        grace: how much later than its end a window closes, so that events out of order still are in it.
        max_events: at most so many events of the key are looked at, the last ones.
        when: only events for which this holds are in windows; null for all.
        fill: the value of a statistic that there is not.
        as_: what the names begin with; ``price_window`` by default.
    """

    field: str
    take: Sequence[Statistic]
    size: Duration | None = None
    every: Duration | None = None
    gap: Duration | None = None
    grace: Duration = Duration.parse("0s")  # noqa: RUF009 - immutable
    max_events: int = 256
    when: str | None = None
    fill: float = 0.0
    as_: str | None = None

    def __post_init__(self) -> None:
        if (self.size is None) == (self.gap is None):
            msg = "needs size (such as 1s), or gap for sessions, and not both"
            raise ValueError(msg)
        window_of(None, self.size or self.gap, self.max_events)
        if self.every is not None and (
            self.size is None or self.every <= 0 or self.size % self.every
        ):
            msg = "every must go into size a whole number of times"
            raise ValueError(msg)
        require_taken(self.take, get_args(Statistic))
        if "rate" in self.take and self.size is None:
            msg = "rate is for windows with a size: write size, or take count"
            raise ValueError(msg)

    @property
    def _begin(self) -> str:
        return self.as_ or f"{self.field}_window"

    @property
    def need(self) -> Need | None:
        """All that is remembered of the key: its last event may be long ago."""
        return Need((self.field,), self.max_events + 1, None, self.when)

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        field_of(fields, self.field)
        return {f"{self._begin}_{name}": NUMBER for name in self.take} | {
            f"_{self._begin}_closes": NUMBER
        }

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        history = view.histories[self.when]
        looked = history.window(events=self.max_events + 1)
        at_ns = np.where(looked.member, history.times(looked.size), ABSENT_NS)
        before: BoolArray = looked.member.copy()
        before[view.holds(self.when), -1] = False
        newest_ns = np.where(before, at_ns, ABSENT_NS).max(axis=1)
        known = newest_ns != ABSENT_NS
        newest_ns = np.where(known, newest_ns, view.time_ns)
        if self.gap is not None:
            closes = known & (view.time_ns - newest_ns > self.gap + self.grace)
            member = before & (
                at_ns >= _session_start_ns(at_ns, before, newest_ns, self.gap)[:, np.newaxis]
            )
        else:
            closes, end_ns = self._ended(view.time_ns, newest_ns)
            end_ns = end_ns[:, np.newaxis]
            member = looked.member & (at_ns < end_ns) & (at_ns >= end_ns - (self.size or 0))
            closes &= known & member.any(axis=1)
        window = Window(looked.size, member, bool(member.all()))
        values = history.values(looked, self.field, view.columns)
        values = np.where(member, values, 0.0)
        made = Statistics(window, values, view.numbers(self.field), self.fill, self.size or 0)
        return {f"{self._begin}_{name}": made.take(name) for name in self.take} | {
            f"_{self._begin}_closes": closes.astype(np.float64)
        }

    def _ended(self, time_ns: Int64Array, newest_ns: Int64Array) -> tuple[BoolArray, Int64Array]:
        """Whether an event completes a window that the key's newest one before had not, and where the last that is complete ends."""
        size, every = int(self.size or 0), int(self.every or self.size or 1)
        reached_ns = _floor(np.maximum(time_ns, newest_ns) - self.grace, every)
        before_ns = _floor(newest_ns - self.grace, every)
        end_ns = np.minimum(reached_ns, _floor(newest_ns, every) + size)
        return end_ns > before_ns, end_ns


def _floor(time_ns: Int64Array, step_ns: int) -> Int64Array:
    return time_ns // step_ns * step_ns


def _session_start_ns(
    at_ns: Int64Array, before: BoolArray, newest_ns: Int64Array, gap_ns: int
) -> Int64Array:
    """When the session of the newest event before began (int64 [n])."""
    ordered = np.sort(np.where(before, at_ns, ABSENT_NS), axis=1)
    there = ordered != ABSENT_NS
    # The differences from what is absent overflow: they count as breaks anyway.
    with np.errstate(over="ignore"):
        broken = ~there[:, :-1] | (ordered[:, 1:] - np.where(there, ordered, 0)[:, :-1] > gap_ns)
    size = ordered.shape[1]
    since_break = (
        np.argmax(broken[:, ::-1], axis=1) if size > 1 else np.zeros(len(ordered), np.int64)
    )
    unbroken = ~broken.any(axis=1)
    first = np.where(unbroken, 0, size - 1 - since_break)
    start_ns = ordered[np.arange(len(ordered)), first]
    return np.where(start_ns == ABSENT_NS, newest_ns, start_ns)

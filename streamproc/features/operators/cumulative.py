"""Statistics of all that a key ever did, or of that with the past fading away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import BoolArray, Columns, Duration, Float64Array
from streamproc.features.operators.operator import NUMBER, Need, View, field_of, require_taken
from streamproc.features.runs import Runs

Total = Literal["count", "sum", "mean", "variance", "std", "min", "max"]
_MOMENTS = ("mean", "variance", "std")
_SPREADS = ("variance", "std")
_SEEN = FieldType("int8")
_INSTANT = FieldType("int64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cumulative:
    """Statistics of all events of the key that arrived until now, this one included; a few numbers are kept of each key.

    There is no window, so nothing is forgotten and rewinding cannot bring it back: it needs ``state.changelog``.
    With ``half_life`` what was added weighs half as much that much event time later; an event out of order weighs
    what it would have come to weigh in its place.

    Attributes:
        field: the field.
        take: ``count``, ``sum``, ``mean``, ``variance`` and ``std`` (of a sample; with ``half_life`` the weighted mean
            of the squared differences from the mean), ``min``, ``max`` (not with ``half_life``).
        half_life: how long until what was added weighs half; null for no fading.
        when: only events for which this holds count; null for all.
        fill: the value of a statistic that there is not.
        as_: what the names begin with; ``price_cumulative`` by default.
    """

    field: str
    take: Sequence[Total] = ("count", "sum")
    half_life: Duration | None = None
    when: str | None = None
    fill: float = 0.0
    as_: str | None = None

    def __post_init__(self) -> None:
        require_taken(self.take, get_args(Total))
        if self.half_life is None:
            return
        if self.half_life <= 0:
            msg = "half_life must be longer than 0, such as 2s"
            raise ValueError(msg)
        if "min" in self.take or "max" in self.take:
            msg = "min and max do not fade: take them without half_life, or of rolling"
            raise ValueError(msg)

    @property
    def need(self) -> Need | None:
        """No history: what it keeps is its own."""
        return None

    @property
    def keeps(self) -> Mapping[str, FieldType]:
        """What it keeps of each key."""
        kept = {"weight": NUMBER}
        if "sum" in self.take or any(name in _MOMENTS for name in self.take):
            kept["sum"] = NUMBER
        if any(name in _SPREADS for name in self.take):
            kept["squares"] = NUMBER
        for name in ("min", "max"):
            if name in self.take:
                kept[name] = NUMBER
        if self.half_life is not None:
            kept |= {"newest_ns": _INSTANT, "seen": _SEEN}
        return kept

    @property
    def kept_as(self) -> str:
        """By which name the view has it: that of the first column, which nobody else makes."""
        return f"{self._begin}_{self.take[0]}"

    @property
    def _begin(self) -> str:
        return self.as_ or f"{self.field}_cumulative"

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        field_of(fields, self.field)
        return {f"{self._begin}_{name}": NUMBER for name in self.take}

    def compute(self, view: View) -> Columns:
        """See ``Operator``; what it keeps is changed."""
        kept, runs = view.kept[self.kept_as], Runs(view.slot)
        counts = view.holds(self.when)
        factor, weight = self._fading(view, runs, counts, kept)
        totals = _Totals(runs, factor, kept)
        x = np.where(counts, view.numbers(self.field), 0.0)
        before, weights = totals.add("weight", runs.table(weight, 0.0))
        made = {"count": weights}
        if "sum" in kept:
            sum_before, made["sum"] = totals.add("sum", runs.table(weight * x, 0.0))
            with np.errstate(all="ignore"):
                mean_before, made["mean"] = sum_before / before, made["sum"] / weights
                if "squares" in kept:
                    values, mean = runs.table(x, 0.0), made["mean"]
                    term = runs.table(weight, 0.0) * (values - mean_before) * (values - mean)
                    # The first member has no mean before it, and adds nothing.
                    adds = (before > 0) & runs.table(counts, 0.0)
                    _, squares = totals.add("squares", np.where(adds, term, 0.0))
                    sample = weights - (self.half_life is None)
                    made["variance"] = np.maximum(squares, 0.0) / sample
                    made["std"] = np.sqrt(made["variance"])
        for name, ufunc, none in (("min", np.minimum, np.inf), ("max", np.maximum, -np.inf)):
            if name in kept:
                own = runs.table(np.where(counts, x, none), none)
                first = np.where(before[:, 0] > 0, kept[name][runs.slots], none)
                made[name] = runs.carried(ufunc, first, own)
                kept[name][runs.slots] = runs.last(made[name])
        return {
            f"{self._begin}_{name}": runs.flat(self._filled(name, made[name], weights))
            for name in self.take
        }

    def _filled(self, name: str, value: Float64Array, weights: Float64Array) -> Float64Array:
        """``fill`` where there are too few members for it."""
        if name in ("count", "sum"):
            return value
        enough = weights > (1 if name in _SPREADS and self.half_life is None else 0)
        return np.where(enough, value, self.fill)

    def _fading(
        self, view: View, runs: Runs, counts: BoolArray, kept: Columns
    ) -> tuple[Float64Array | None, Float64Array]:
        """By what is multiplied what was added before each event (float64 [u, steps]), and what the event weighs (float64 [n])."""
        weight = counts.astype(np.float64)
        if self.half_life is None:
            return None, weight
        seen = kept["seen"][runs.slots] > np.int8(0)
        times = runs.table(view.time_ns, np.iinfo(np.int64).min)
        first = np.where(seen, kept["newest_ns"][runs.slots].astype(np.int64), times[:, 0])
        newest = runs.carried(np.maximum, first, times)
        before = np.column_stack([first, newest[:, :-1]])
        factor = np.exp2(-((newest - before) / int(self.half_life)))
        behind_ns = runs.flat(newest) - view.time_ns
        kept["newest_ns"][runs.slots] = runs.last(newest)
        kept["seen"][runs.slots] = 1
        return factor, weight * np.exp2(-(behind_ns / int(self.half_life)))


@dataclass(frozen=True, slots=True)
class _Totals:
    """Adds up along the runs, with what is kept as the beginning, and keeps the end.

    Attributes:
        runs: the batch, key by key.
        factor: float64 [u, steps], by what the total before each event is multiplied; None for 1.
        kept: what is kept of keys.
    """

    runs: Runs
    factor: Float64Array | None
    kept: Columns

    def add(self, name: str, term: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The totals before and after each event (float64 [u, steps]) of what each adds."""
        runs = self.runs
        first = self.kept[name][runs.slots].astype(np.float64)
        if self.factor is None:
            totals = runs.carried(np.add, first, term)
        else:
            totals = runs.decayed(first, self.factor, term)
        self.kept[name][runs.slots] = runs.last(totals)
        return np.column_stack([first, totals[:, :-1]]), totals

"""Statistics of all that a key ever did, or of that with the past fading away."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Array, Columns, Duration, Float64Array
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
        x, counts = view.numbers(self.field), view.holds(self.when)
        x = np.where(counts, x, 0.0)
        factor, weight = self._fading(view, runs, counts, kept)
        total = _Total(runs, factor)
        made: dict[str, Float64Array] = {}
        before = kept["weight"][runs.slots]
        weights = total.of(kept, "weight", runs.table(weight, 0.0))
        made["count"] = weights
        values = runs.table(x, 0.0)
        if "sum" in kept:
            sum_before = kept["sum"][runs.slots]
            made["sum"] = total.of(kept, "sum", runs.table(weight * x, 0.0))
            with np.errstate(all="ignore"):
                made["mean"] = made["sum"] / weights
                mean_before = np.column_stack([sum_before / before, made["mean"][:, :-1]])
        if "squares" in kept:
            # The first member has no mean before it, and adds nothing.
            followed = np.column_stack([before, weights[:, :-1]]) > 0
            with np.errstate(all="ignore"):
                away = (values - mean_before) * (values - made["mean"])
            term = runs.table(weight, 0.0) * away
            term = np.where(followed & (runs.table(counts, 0) > 0), term, 0.0)
            squares = np.maximum(total.of(kept, "squares", term), 0.0)
            with np.errstate(all="ignore"):
                made["variance"] = squares / (weights - (self.half_life is None))
                made["std"] = np.sqrt(made["variance"])
        for name, ufunc, none in (("min", np.minimum, np.inf), ("max", np.maximum, -np.inf)):
            if name in kept:
                first = np.where(before > 0, kept[name][runs.slots], none)
                reached = runs.carried(ufunc, first, runs.table(np.where(counts, x, none), none))
                kept[name][runs.slots] = runs.last(reached)
                made[name] = reached
        return {
            f"{self._begin}_{name}": runs.flat(self._filled(name, made[name], weights))
            for name in self.take
        }

    def _filled(self, name: str, value: Float64Array, weights: Float64Array) -> Array:
        """``fill`` where there are too few members for it."""
        if name in ("count", "sum"):
            return value
        enough = weights > (1 if name in _SPREADS and self.half_life is None else 0)
        return np.where(enough, value, self.fill)

    def _fading(
        self, view: View, runs: Runs, counts: Array, kept: Columns
    ) -> tuple[Float64Array | None, Float64Array]:
        """By what is multiplied what was added before each event (float64 [u, steps]), and what the event weighs (float64 [n])."""
        weight = counts.astype(np.float64)
        if self.half_life is None:
            return None, weight
        seen = kept["seen"][runs.slots] > 0
        times = runs.table(view.time_ns, np.iinfo(np.int64).min)
        first = np.where(seen, kept["newest_ns"][runs.slots], times[:, 0])
        newest = runs.carried(np.maximum, first, times)
        before = np.column_stack([first, newest[:, :-1]])
        factor = np.exp2(-((newest - before) / int(self.half_life)))
        behind_ns = runs.flat(newest) - view.time_ns
        kept["newest_ns"][runs.slots] = runs.last(newest)
        kept["seen"][runs.slots] = 1
        return factor, weight * np.exp2(-(behind_ns / int(self.half_life)))


@dataclass(frozen=True, slots=True)
class _Total:
    """Adds up along the runs, with what is kept as the beginning, and keeps the end.

    Attributes:
        runs: the batch, key by key.
        factor: float64 [u, steps], by what the total before each event is multiplied; None for 1.
    """

    runs: Runs
    factor: Float64Array | None

    def of(self, kept: Columns, name: str, term: Array) -> Float64Array:
        """The totals after each event (float64 [u, steps]) of what each adds."""
        runs, first = self.runs, kept[name][self.runs.slots]
        if self.factor is None:
            totals = runs.carried(np.add, first, term)
        else:
            totals = runs.decayed(first, self.factor, term)
        kept[name][runs.slots] = runs.last(totals)
        return totals

"""Exponentially weighted mean and variance of a key's last events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from streamproc.codecs import FieldType
from streamproc.core import Columns, Duration, Float64Array
from streamproc.features.history import History, Window
from streamproc.features.operators.operator import (
    NUMBER,
    Need,
    View,
    field_of,
    require_taken,
    window_of,
)
from streamproc.features.sums import running_sum

Moment = Literal["mean", "variance", "std"]
HALF_LIVES = 10
"""What is older than so many half-lives weighs less than a thousandth, and is left out unless it is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ewm:
    """Mean and variance in which an event weighs half as much as one that came a half-life later.

    It looks at a window, not at all that ever was: so it is a function of the window's members, as all rolling
    statistics are, and a restart gives the same bits. The weights are scaled to add up to 1.

    Attributes:
        field: the field.
        take: ``mean``, ``variance`` (weighted mean of the squared differences from the mean), ``std``.
        half_life_events: the half-life in events of the key.
        half_life: the half-life in time.
        events: with ``half_life_events``: how many events count; ten half-lives by default.
        max_events: with ``half_life``: at most so many events of the last ten half-lives count.
        when: only events for which this holds; null for all.
        fill: the value where there is no member.
        as_: what the names begin with; ``price_ewm`` by default.
    """

    field: str
    take: Sequence[Moment] = ("mean",)
    half_life_events: float | None = None
    half_life: Duration | None = None
    events: int | None = None
    max_events: int = 256
    when: str | None = None
    fill: float = 0.0
    as_: str | None = None

    def __post_init__(self) -> None:
        if (self.half_life_events is None) == (self.half_life is None):
            msg = "needs half_life (such as 2s), or half_life_events, and not both"
            raise ValueError(msg)
        if not (self.half_life_events or self.half_life or 0) > 0:
            msg = "a half-life must be longer than 0"
            raise ValueError(msg)
        require_taken(self.take, get_args(Moment))
        self._window()

    def _window(self) -> tuple[int, int | None]:
        if self.half_life is not None:
            return window_of(None, HALF_LIVES * int(self.half_life), self.max_events)
        by_default = int(np.ceil(HALF_LIVES * (self.half_life_events or 1)))
        return window_of(self.events or by_default, None, self.max_events)

    @property
    def need(self) -> Need | None:
        """The window."""
        size, time_ns = self._window()
        return Need((self.field,), size, time_ns, self.when)

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        field_of(fields, self.field)
        return {f"{self.as_ or f'{self.field}_ewm'}_{name}": NUMBER for name in self.take}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        history = view.histories[self.when]
        size, time_ns = self._window()
        window = history.window(events=size, time_ns=time_ns)
        values = history.values(window, self.field, view.columns)
        weight = self._weights(view, history, window)
        total = running_sum(weight)
        with np.errstate(all="ignore"):
            mean = running_sum(weight * values) / total
            difference = values - mean[:, np.newaxis]
            variance = running_sum(weight * (difference * difference)) / total
        made = {"mean": mean, "variance": variance, "std": np.sqrt(variance)}
        begin = self.as_ or f"{self.field}_ewm"
        return {f"{begin}_{name}": np.where(total > 0, made[name], self.fill) for name in self.take}

    def _weights(self, view: View, history: History, window: Window) -> Float64Array:
        """What each member weighs (float64 [n, size]); the newest of a window by events weighs 1."""
        if self.half_life is not None:
            age_ns = view.time_ns[:, np.newaxis] - np.where(
                window.member, history.times(window.size), view.time_ns[:, np.newaxis]
            )
            weight: Float64Array = np.exp2(-(age_ns / int(self.half_life)))
        else:
            newer = np.cumsum(window.member[:, ::-1], axis=1)[:, ::-1] - 1
            weight = np.exp2(-(newer / (self.half_life_events or 1.0)))
        return np.where(window.member, weight, 0.0)

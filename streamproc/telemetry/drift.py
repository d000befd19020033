"""Drift: whether features are distributed as they were when the model was trained, counted a batch at a time.

The population stability index of a feature compares two histograms over the same bins, here the deciles of a
reference: the sum of (actual - expected) * ln(actual / expected). By custom, below 0.1 nothing has moved, above 0.25
the model sees another world (Siddiqi, Credit Risk Scorecards, 2006).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np

from streamproc.core import Array, Columns, Int64Array

BINS: Final = 10
FEATURES_MAX: Final = 1_024
"""Of which drift is told: each is three series."""
_SHARE_MIN: Final = 1e-4
"""Stands for an empty bin, whose logarithm would be infinite."""
_TOGETHER: Final = 16_384
"""Numbers that are counted together: counting costs the same for one as for a thousand, and this many take the event
loop for less than a millisecond."""
_FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class DriftReference:
    """How features were distributed.

    Attributes:
        inputs: the model's inputs and how many numbers each has, in order.
        names: of the features: d, all numbers of all inputs side by side.
        edges: float64 [d, BINS - 1], ascending: the bins' inner bounds; a value equal to one lies below it.
        expected: float64 [d, BINS], the share of each bin.
        missing: float64 [d], the share of NaNs.
        low: float64 [d], the least value.
        high: float64 [d], the greatest.
        events: how many events it was made of.
    """

    inputs: tuple[tuple[str, int], ...]
    names: tuple[str, ...]
    edges: Array
    expected: Array
    missing: Array
    low: Array
    high: Array
    events: int

    @classmethod
    def of(cls, columns: Columns, names: Sequence[str] = ()) -> Self:
        """The reference of some events.

        Args:
            columns: the model's inputs by name, each [n, ...].
            names: of the features; by default ``input[i]``.

        Raises:
            ValueError: there are no events, or too many features.
        """
        widths = tuple((name, _width(array)) for name, array in columns.items())
        matrix = _side_by_side(columns, widths)
        count, features = matrix.shape
        if not count or not features:
            msg = "a reference needs events and features"
            raise ValueError(msg)
        if features > FEATURES_MAX:
            msg = f"{features} features: at most {FEATURES_MAX} are watched"
            raise ValueError(msg)
        finite = np.where(np.isfinite(matrix), matrix, np.nan)
        missing = np.isnan(finite).mean(axis=0)
        filled = np.where(
            np.isnan(finite).all(axis=0), 0.0, finite
        )  # nothing to rank: all in a bin
        quantiles = np.arange(1, BINS) / BINS
        edges = np.nanquantile(filled, quantiles, axis=0, method="inverted_cdf").T
        counts = _counts(filled, edges)
        expected = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        low, high = np.nanmin(filled, axis=0), np.nanmax(filled, axis=0)
        told = tuple(names) if len(names) == features else default_names(widths)
        return cls(widths, told, edges, expected, missing, low, high, count)

    def to_json(self) -> str:
        """As a file holds it."""
        features = [
            {
                "name": name,
                "edges": self.edges[place].tolist(),
                "expected": self.expected[place].tolist(),
                "missing": float(self.missing[place]),
                "low": float(self.low[place]),
                "high": float(self.high[place]),
            }
            for place, name in enumerate(self.names)
        ]
        said = {
            "format": _FORMAT,
            "events": self.events,
            "inputs": [list(one) for one in self.inputs],
            "features": features,
        }
        return json.dumps(said, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is none.
        """
        try:
            said: Mapping[str, Any] = json.loads(text)
            if said["format"] != _FORMAT:
                msg = f"it is of format {said['format']}, this release reads {_FORMAT}"
                raise ValueError(msg)
            features = said["features"]

            def column(key: str) -> Array:
                return np.array([one[key] for one in features], np.float64)

            made = cls(
                inputs=tuple((str(name), int(width)) for name, width in said["inputs"]),
                names=tuple(str(one["name"]) for one in features),
                edges=column("edges"),
                expected=column("expected"),
                missing=column("missing"),
                low=column("low"),
                high=column("high"),
                events=int(said["events"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            msg = f"it is no reference of drift: {error}"
            raise ValueError(msg) from None
        size = len(made.names)
        widths = sum(width for _, width in made.inputs)
        if made.edges.shape != (size, BINS - 1) or made.expected.shape != (size, BINS) or widths != size:  # fmt: skip
            msg = "its features, inputs and bins do not fit together"
            raise ValueError(msg)
        return made


@dataclass(frozen=True, slots=True)
class DriftState:
    """What was counted over a window.

    Attributes:
        names: of the d features.
        expected: float64 [d, BINS], the reference's shares.
        counts: int64 [d, BINS].
        missing: int64 [d], how many were NaN or infinite.
        outside: int64 [d], how many were below the reference's least value or above its greatest.
        events: how many events were looked at.
    """

    names: tuple[str, ...]
    expected: Array
    counts: Int64Array
    missing: Int64Array
    outside: Int64Array
    events: int

    def psi(self) -> Array:
        """The population stability index of each feature (float64 [d])."""
        total = self.counts.sum(axis=1, keepdims=True)
        actual = np.maximum(self.counts / np.maximum(total, 1), _SHARE_MIN)
        expected = np.maximum(self.expected, _SHARE_MIN)
        index: Array = ((actual - expected) * np.log(actual / expected)).sum(axis=1)
        return np.where(total[:, 0] > 0, index, 0.0)

    def missing_share(self) -> Array:
        """The share of NaNs of each feature (float64 [d])."""
        return self.missing / max(self.events, 1)

    def outside_share(self) -> Array:
        """The share outside the reference's range (float64 [d])."""
        return self.outside / max(self.events, 1)


def total_drift(states: Sequence[DriftState]) -> DriftState | None:
    """The windows of several workers as one; None where there are none."""
    if not states:
        return None
    first = states[0]
    alike = [state for state in states if state.names == first.names]
    return replace(
        first,
        counts=np.sum([state.counts for state in alike], axis=0),
        missing=np.sum([state.missing for state in alike], axis=0),
        outside=np.sum([state.outside for state in alike], axis=0),
        events=sum(state.events for state in alike),
    )


class DriftMonitor:
    """Counts features against a reference, window by window.

    Args:
        reference: what is expected.
        window: events of a window that are looked at.
        every: one event of so many is looked at.

    Attributes:
        fits: False once features came that are not those of the reference; nothing is counted any more.
    """

    def __init__(self, reference: DriftReference, *, window: int, every: int = 1) -> None:
        self._reference = reference
        self._window = window
        self._every = every
        self._skip = 0
        self._known: list[tuple[str, tuple[int, ...]]] = []
        self._gathered: list[Array] = []
        self._gathered_rows = 0
        self.fits = True
        self._open = self._empty()
        self._last: DriftState | None = None

    def observe(self, inputs: Columns) -> None:
        """Count a batch.

        Args:
            inputs: the model's inputs by name, each [n, ...].
        """
        if not self._is_known(inputs):
            return
        count = len(next(iter(inputs.values())))
        chosen = slice(self._skip, count, self._every)
        self._skip = (self._skip - count) % self._every
        if chosen.start >= count:
            return
        sampled = {name: array[chosen] for name, array in inputs.items()}
        self._gathered.append(_side_by_side(sampled, self._reference.inputs))
        self._gathered_rows += len(self._gathered[-1])
        if self._gathered_rows * len(self._reference.names) >= _TOGETHER:
            self._count()

    def state(self) -> DriftState | None:
        """The last whole window; None before there is one."""
        self._count()
        return self._last

    def unfinished(self) -> DriftState:
        """The window that is being filled."""
        self._count()
        return self._open

    def _is_known(self, inputs: Columns) -> bool:
        """Whether these are the features of the reference."""
        shapes = [(name, array.shape[1:]) for name, array in inputs.items()]
        if shapes != self._known:
            widths = tuple((name, _width(array)) for name, array in inputs.items())
            self.fits = self.fits and widths == self._reference.inputs
            self._known = shapes
        return self.fits

    def _count(self) -> None:
        """Count what was gathered, window by window."""
        if not self._gathered:
            return
        matrix = np.concatenate(self._gathered)
        self._gathered, self._gathered_rows = [], 0
        while len(matrix):
            part = matrix[: self._window - self._open.events]
            matrix = matrix[len(part) :]
            self._add(part)
            if self._open.events >= self._window:
                self._last, self._open = self._open, self._empty()

    def _add(self, matrix: Array) -> None:
        held, reference = self._open, self._reference
        finite = np.isfinite(matrix)
        with np.errstate(invalid="ignore"):
            outside = finite & (np.less(matrix, reference.low) | np.greater(matrix, reference.high))
        self._open = replace(
            held,
            counts=held.counts + _counts(np.where(finite, matrix, np.nan), reference.edges),
            missing=held.missing + (~finite).sum(axis=0),
            outside=held.outside + outside.sum(axis=0),
            events=held.events + len(matrix),
        )

    def _empty(self) -> DriftState:
        size = len(self._reference.names)
        zeros = np.zeros(size, np.int64)
        counts = np.zeros((size, BINS), np.int64)
        return DriftState(self._reference.names, self._reference.expected, counts, zeros, zeros, 0)


def default_names(inputs: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """``input`` for a single number, ``input[i]`` for each of several."""
    return tuple(
        name if width == 1 else f"{name}[{place}]"
        for name, width in inputs
        for place in range(width)
    )


def _counts(matrix: Array, edges: Array) -> Int64Array:
    """How many values of each feature lie in each bin (int64 [d, BINS]); NaNs lie in none."""
    features = len(edges)
    places = np.zeros(matrix.shape, np.int64)
    for (
        bound
    ) in edges.T:  # nine comparisons of whole matrices: quicker than a search for each feature
        places += matrix > bound
    flat = (places + np.arange(features) * BINS)[~np.isnan(matrix)]
    return np.bincount(flat, minlength=features * BINS).reshape(features, BINS)


def _side_by_side(columns: Columns, inputs: Sequence[tuple[str, int]]) -> Array:
    parts = [columns[name].reshape(len(columns[name]), width) for name, width in inputs]
    return np.concatenate(parts, axis=1, dtype=np.float64)


def _width(array: Array) -> int:
    return int(np.prod(array.shape[1:], dtype=np.int64))

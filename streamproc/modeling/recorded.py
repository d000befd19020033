"""What a model is optimised on, out of a recording: its inputs, made by the engine that serves."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from streamproc.config import PipelineConfig
from streamproc.core import Array, BoolArray, ConfigError, Int64Array, RecordBatch
from streamproc.engine import Output
from streamproc.modeling.traffic import Events, Traffic, divided
from streamproc.replay.training import FeatureRows, features_of

_EVENTS_MAX: Final = 50_000
_KEYS_MIN: Final = 10
"""With fewer keys the parts of the recording are stretches of its time."""
_STRETCHES: Final = 50


def traffic_of(
    config: PipelineConfig,
    records: Callable[[], Iterable[RecordBatch]],
    *,
    label: str | None,
    events_max: int = _EVENTS_MAX,
) -> Traffic:
    """Make a model's inputs of recorded events; what the live code would not have decided about is not among them.

    Args:
        config: the pipeline, with the model.
        records: reads the recording from its begin.
        label: the field that says what is true; None where nothing does.
        events_max: of a longer recording every second event is taken, every fourth, and so on.

    Raises:
        ConfigError: features or label do not fit, or too little of the recording is decided about.
    """
    if label is not None and label not in config.codec.fields:
        there = ", ".join(config.codec.fields)
        msg = f"--label {label}: the codec reads no such field: there are {there}"
        raise ConfigError(msg)
    kept = _Kept(label, events_max)
    features_of(config, records, kept.take)
    if not kept.parts:
        msg = "nothing of the recording would be decided about: there is no input to be had of it"
        raise ConfigError(msg)
    keys = np.concatenate([part.key for part in kept.parts])
    said = None
    if label is not None:
        said = _places(np.concatenate([part.label for part in kept.parts]), label, config.output)
    inputs = {
        name: np.concatenate([part.inputs[name] for part in kept.parts])
        for name in kept.parts[0].inputs
    }
    whole = Events(inputs, _groups(keys), said)
    return divided(whole.take(_finite(inputs, len(whole))), None, "the recording")


class _Part:
    """Some events of a batch.

    Attributes:
        inputs: [n, ...] by name.
        key: object [n].
        label: [n]; of no length where none is wanted.
    """

    __slots__ = ("inputs", "key", "label")

    def __init__(self, rows: FeatureRows, place: Int64Array, label: str | None) -> None:
        self.inputs = {name: array[place] for name, array in rows.events.inputs.items()}
        self.key: Array = rows.events.key[place]
        self.label: Array = place[:0] if label is None else rows.events.columns[label][place]

    def thin(self, rows: BoolArray) -> None:
        self.inputs = {name: array[rows] for name, array in self.inputs.items()}
        self.key = self.key[rows]
        if len(self.label):
            self.label = self.label[rows]


class _Kept:
    """At most so many events, evenly spread over however many come."""

    def __init__(self, label: str | None, events_max: int) -> None:
        self.parts: list[_Part] = []
        self._label = label
        self._events_max = events_max
        self._step = 1
        self._seen = self._held = 0

    def take(self, rows: FeatureRows) -> None:
        """See ``features_of``."""
        count = len(rows.events)
        place = np.arange(-self._seen % self._step, count, self._step)
        self._seen += count
        if not len(place):
            return
        self.parts.append(_Part(rows, place, self._label))
        self._held += len(place)
        while self._held > self._events_max:
            self._halve()

    def _halve(self) -> None:
        self._step *= 2
        before = 0
        for part in self.parts:
            count = len(part.key)
            part.thin((np.arange(before, before + count) % 2) == 0)
            before += count
        self.parts = [part for part in self.parts if len(part.key)]
        self._held = sum(len(part.key) for part in self.parts)


def _groups(keys: Array) -> Array:
    """What belongs together: a key's events; of few keys, stretches of the recording."""
    names, group = np.unique([key or b"" for key in keys.tolist()], return_inverse=True)
    if len(names) >= _KEYS_MIN:
        return group
    return np.arange(len(keys)) * _STRETCHES // len(keys)


def _finite(inputs: dict[str, Array], count: int) -> BoolArray:
    """The events whose numbers are all finite; the others become dead letters."""
    found = np.ones(count, np.bool_)
    for array in inputs.values():
        if array.dtype.kind == "f":
            found &= np.isfinite(array.reshape(count, -1)).all(axis=1)
    return found


def _places(said: Array, label: str, output: object) -> Int64Array:
    """The places of the true classes.

    Raises:
        ConfigError: they cannot be known.
    """
    if said.dtype.kind in "iub":
        return said.astype(np.int64)
    labels: Sequence[str] = output.labels if isinstance(output, Output) else ()
    if said.dtype.kind != "O" or not labels:
        msg = f"--label {label}: must be whole numbers, or texts that output.labels has"
        raise ConfigError(msg)
    place = {name: number for number, name in enumerate(labels)}
    if strange := sorted(set(said.tolist()) - place.keys(), key=str):
        msg = f"--label {label}: {strange[0]!r} is none of output.labels: {', '.join(labels)}"
        raise ConfigError(msg)
    return np.array([place[name] for name in said.tolist()], np.int64)

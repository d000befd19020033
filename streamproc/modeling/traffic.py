"""What a model is optimised on: recorded events, in three parts that share no source."""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streamproc.core import Array, BoolArray, Columns, ConfigError

PARTS = ("train", "validation", "test")
_SHARES = (0.6, 0.8)
"""Where the parts end, if the file does not say: of the groups in their order of appearance."""
LABEL, GROUP, PART = "label", "group", "part"


@dataclass(frozen=True, slots=True)
class Events:
    """Events of one part.

    Attributes:
        inputs: the model's, by name, [n, ...].
        group: [n], what belongs together: a person, a device, a recording.
        label: [n], the place of the true class; None where it is not known.
    """

    inputs: Columns
    group: Array
    label: Array | None = None

    def __len__(self) -> int:
        return len(self.group)

    def take(self, rows: BoolArray) -> "Events":
        """Some of them."""
        return Events(
            {name: array[rows] for name, array in self.inputs.items()},
            self.group[rows],
            None if self.label is None else self.label[rows],
        )

    def first(self, count: int) -> "Events":
        """So many of them, evenly spread."""
        rows = np.zeros(len(self), bool)
        rows[np.linspace(0, len(self) - 1, min(count, len(self))).astype(int)] = True
        return self.take(rows)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Recorded events in three parts.

    Attributes:
        train: calibrates and trains.
        validation: chooses between settings.
        test: is reported, and chooses nothing.
    """

    train: Events
    validation: Events
    test: Events


def read_npz(path: Path, inputs: list[str]) -> Traffic:
    """Read events of an archive of arrays.

    Args:
        path: holds an array for each input, [n, ...], and may hold ``label`` [n], the places of the true classes,
            ``group`` [n], what belongs together, and ``part`` [n], one of ``PARTS``.
        inputs: names of the model's inputs.

    Raises:
        ConfigError: it cannot be read, or has not what it must.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        why = getattr(error, "strerror", None) or error
        msg = f"{path} is no .npz file: {why}"
        raise ConfigError(msg) from error
    missing = [name for name in inputs if name not in arrays]
    if missing:
        msg = f"{path} has no input {', '.join(missing)}: it has {', '.join(arrays)}"
        raise ConfigError(msg)
    total = len(arrays[inputs[0]])
    group = arrays.get(GROUP, np.arange(total) * 50 // max(1, total))
    events = Events({name: arrays[name] for name in inputs}, group, arrays.get(LABEL))
    return divided(events, arrays.get(PART), str(path))


def divided(events: Events, part: Array | None, name: str) -> Traffic:
    """Divide events into their parts.

    Args:
        events: all of them.
        part: [n], the part of each; None divides by groups, in their order of appearance.
        name: where they come from, for the message.

    Raises:
        ConfigError: a part is empty.
    """
    if part is None:
        _, first, place = np.unique(events.group, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(first))[place]
        ends = [round(share * len(first)) for share in _SHARES]
        part = np.array(PARTS)[np.searchsorted(ends, rank, side="right")]
    parts = [events.take(np.asarray(part == one)) for one in PARTS]
    for one, some in zip(PARTS, parts, strict=True):
        if not len(some):
            msg = f"{name} has nothing for the part {one!r}: at least three groups are needed"
            raise ConfigError(msg)
    return Traffic(*parts)

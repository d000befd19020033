"""A recording of sampled signals, cut into windows when it is played: one raw tensor an event.

Windows overlap, so the samples are kept once, as whole numbers, and not once a window. Window k of a signal
holds its samples ``[k * hop_rows, k * hop_rows + window_rows)``; its event happens when the last of them is
taken.
"""

import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from streamproc.core import Array, ConfigError, Float32Array, Int64Array, Problem
from streamproc.replay.recorded import Recorded

_WHOLE = "whole"
"""May stand beside the others: whether an event holds the whole numbers as they are, such as PCM samples."""
_ARRAYS = ("signal", "scale", "offset", "key", "start_ns", "period_ns", "window_rows", "hop_rows")


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals of several sources, sampled alike.

    Attributes:
        signal: int16 [channels, rows], the sources one after the other.
        scale: float32 [channels], what one step of the numbers is worth.
        offset: int64 [sources + 1]; source i has the rows ``offset[i]:offset[i + 1]``.
        key: text [sources], the keys of their events.
        start_ns: int64 [sources], when the first sample of each was taken, ns since 1970.
        period_ns: from one sample to the next.
        window_rows: samples of a window.
        hop_rows: samples from the beginning of a window to that of the next.
        whole: whether an event's value is the whole numbers as they are, such as PCM samples, and not what they are worth.

    Raises:
        ValueError: they do not fit together.
    """

    signal: npt.NDArray[np.int16]
    scale: Float32Array
    offset: Int64Array
    key: Array
    start_ns: Int64Array
    period_ns: int
    window_rows: int
    hop_rows: int
    whole: bool = False

    def __post_init__(self) -> None:
        sources = len(self.key)
        if self.signal.ndim != 2 or self.scale.shape != self.signal.shape[:1]:  # noqa: PLR2004
            msg = f"signal is {list(self.signal.shape)} and scale {list(self.scale.shape)}: must be [channels, rows] and [channels]"
            raise ValueError(msg)
        if self.offset.shape != (sources + 1,) or self.start_ns.shape != (sources,):
            msg = f"{sources} keys need {sources + 1} offsets and {sources} starts"
            raise ValueError(msg)
        if self.offset[0] != 0 or self.offset[-1] != self.signal.shape[1]:
            msg = f"offset must go from 0 to the {self.signal.shape[1]} rows"
            raise ValueError(msg)
        if np.any(np.diff(self.offset) < 0):
            msg = "offset must ascend"
            raise ValueError(msg)
        if min(self.period_ns, self.window_rows, self.hop_rows) < 1:
            msg = "period_ns, window_rows and hop_rows must be positive"
            raise ValueError(msg)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read them from an ``.npz`` file that holds an array of each name.

        Raises:
            OSError: it cannot be read.
            ValueError: it is no such file.
        """
        with path.open("rb") as content:
            if not zipfile.is_zipfile(content):
                msg = "is no whole .npz file"
                raise ValueError(msg)
            try:
                with np.load(content, allow_pickle=False) as file:
                    missing = [name for name in _ARRAYS if name not in file]
                    arrays = {name: file[name] for name in _ARRAYS if name in file}
                    whole = _WHOLE in file and bool(file[_WHOLE])
            except (zipfile.BadZipFile, zlib.error, EOFError) as error:
                msg = f"is damaged: {error}"
                raise ValueError(msg) from error
        if missing:
            msg = f"has no {', '.join(missing)}: it is no recording of signals"
            raise ValueError(msg)
        period_ns, window_rows, hop_rows = (int(arrays.pop(name).item()) for name in _ARRAYS[-3:])
        return cls(
            **arrays,
            period_ns=period_ns,
            window_rows=window_rows,
            hop_rows=hop_rows,
            whole=whole,
        )

    def windows(self) -> tuple[Int64Array, Int64Array, Int64Array]:
        """All windows in the order of their events.

        Returns:
            source (its number), first row in ``signal``, and time of the event in ns since 1970; int64 [n] each.
        """
        rows = np.diff(self.offset)
        counts = np.maximum(rows - self.window_rows, -self.hop_rows) // self.hop_rows + 1
        source = np.repeat(np.arange(len(rows)), counts)
        number = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
        first = number * self.hop_rows
        last_ns = self.start_ns[source] + (first + self.window_rows - 1) * self.period_ns
        order = np.argsort(last_ns, kind="stable")
        return source[order], (self.offset[source] + first)[order], last_ns[order]

    def window(self, first: int) -> Float32Array:
        """The window that begins at this row: float32 [window_rows, channels]."""
        steps = self.signal[:, first : first + self.window_rows].T
        return np.ascontiguousarray(steps * self.scale, np.float32)

    def value(self, first: int) -> bytes:
        """The same as an event's value: little-endian float32, or int16 where it holds the whole numbers."""
        if self.whole:
            steps = self.signal[:, first : first + self.window_rows].T
            return np.ascontiguousarray(steps, "<i2").tobytes()
        return self.window(first).astype("<f4", copy=False).tobytes()


@dataclass(frozen=True, slots=True)
class SignalRecording:
    """A recording on disk of sampled signals; an event's value is its window, see ``Signals.value``.

    Attributes:
        path: an ``.npz`` file; see ``Signals``.
    """

    path: Path

    def timestamp_ns(self) -> Int64Array:
        """When each event happened, int64 [n], ns since 1970, ascending.

        Raises:
            ConfigError: it cannot be read, or holds no window.
        """
        stamps = self.signals().windows()[2]
        if not stamps.size:
            raise ConfigError(Problem("holds no events", origin=str(self.path)))
        return stamps

    def events(self) -> Iterator[Recorded]:
        """The events in order, once.

        Raises:
            ConfigError: it cannot be read.
        """
        return self._events(self.signals())

    def events_for_ever(self) -> Iterator[Recorded]:
        """The events again and again; see ``events``."""
        signals = self.signals()
        while True:
            yield from self._events(signals)

    def signals(self) -> Signals:
        """What the file holds.

        Raises:
            ConfigError: it cannot be read.
        """
        try:
            return Signals.load(self.path)
        except OSError as error:
            message = f"cannot be read: {error.strerror or error}"
        except ValueError as error:
            message = str(error)
        raise ConfigError(Problem(message, origin=str(self.path)))

    @staticmethod
    def _events(signals: Signals) -> Iterator[Recorded]:
        keys = [str(key).encode() for key in signals.key]
        source, first, _ = signals.windows()
        for place, row in zip(source.tolist(), first.tolist(), strict=True):
            yield Recorded(keys[place], signals.value(row))

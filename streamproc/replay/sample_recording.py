"""A recording of sampled signals, played sample by sample: what the sensors themselves send."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from streamproc.core import ConfigError, Int64Array, Problem
from streamproc.replay.recorded import Recorded
from streamproc.replay.signal_recording import SignalRecording, Signals


@dataclass(frozen=True, slots=True)
class SampleRecording:
    """A recording on disk of sampled signals; an event's value is one sample as JSON, ``{"sample": [0.5, ...]}``.

    Attributes:
        path: what it is called.
        file: an ``.npz`` file; see ``Signals``.
    """

    path: Path
    file: Path

    def timestamp_ns(self) -> Int64Array:
        """When each sample was taken, int64 [n], ns since 1970, ascending.

        Raises:
            ConfigError: it cannot be read, or holds no sample.
        """
        _, stamps = _in_order(self._signals())
        if not stamps.size:
            raise ConfigError(Problem("holds no events", origin=str(self.path)))
        return stamps

    def events(self) -> Iterator[Recorded]:
        """The samples in order, once.

        Raises:
            ConfigError: it cannot be read.
        """
        return self._events(self._signals())

    def events_for_ever(self) -> Iterator[Recorded]:
        """The samples again and again; see ``events``."""
        signals = self._signals()
        while True:
            yield from self._events(signals)

    def _signals(self) -> Signals:
        return SignalRecording(self.file).signals()

    @staticmethod
    def _events(signals: Signals) -> Iterator[Recorded]:
        keys = [str(key).encode() for key in signals.key]
        rows, _ = _in_order(signals)
        source = np.searchsorted(signals.offset, rows, side="right") - 1
        for place, row in zip(source.tolist(), rows.tolist(), strict=True):
            sample = (signals.signal[:, row] * signals.scale).tolist()
            yield Recorded(keys[place], orjson.dumps({"sample": sample}))


def _in_order(signals: Signals) -> tuple[Int64Array, Int64Array]:
    """The rows of all samples by time, and those times in ns since 1970; int64 [rows] each."""
    counts = np.diff(signals.offset)
    number = np.arange(signals.signal.shape[1]) - np.repeat(signals.offset[:-1], counts)
    stamps = np.repeat(signals.start_ns, counts) + number * signals.period_ns
    order = np.argsort(stamps, kind="stable")
    return order, stamps[order]

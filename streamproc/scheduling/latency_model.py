"""How long things take: a batch in the executor, and the way of its decisions to the broker."""

import math
from collections.abc import Sequence

import numpy as np

from streamproc.core import Float64Array, Int64Array

_WINDOW = 64
"""Runs that are remembered: at 1 ms a run the model follows a change within a tenth of a second."""
_QUANTILE = 0.85
"""Of those; from the eighth run on one outlier in ten moves nothing (at 0.9 it does: 64 may hold seven)."""
_LONGEST_NS = 3.2e16
"""A year: predictions stay far from where int64 ends, whatever was measured."""
_REFRESH = 8
"""Values between two looks at the window (a look costs 5 to 20 us)."""


class _Window:
    """The last values, and a quantile of them."""

    __slots__ = ("_count", "_quantile", "_value", "_values")

    def __init__(self, size: int, quantile: float, first: float) -> None:
        self._values: Float64Array = np.empty(size, np.float64)
        self._quantile = quantile
        self._value = first
        self._count = 0

    def add(self, value: float) -> None:
        self._values[self._count % len(self._values)] = value
        self._count += 1
        if self._count <= _REFRESH or self._count % _REFRESH == 0:
            held = self._values[: min(self._count, len(self._values))]
            place = math.ceil(self._quantile * (len(held) - 1))
            self._value = float(np.partition(held, place)[place])

    def forget(self) -> None:
        self._count = 0

    @property
    def value(self) -> float:
        return self._value


class LatencyModel:
    """Execution time as a function of batch size, measured by a sweep and corrected by every run.

    The sweep gives the curve's shape; what is learned later is one factor for the whole of it, a quantile
    of the last runs' times over the curve's.

    Args:
        size: batch sizes measured, ascending, from 1.
        run_ns: their times in ns.
        size_max: the largest batch that will be asked for.

    Raises:
        ValueError: nothing was measured, or a time is not positive.
    """

    __slots__ = ("_curve_ns", "_factor", "_run_ns", "_used_factor")

    def __init__(self, size: Sequence[int], run_ns: Sequence[int], *, size_max: int) -> None:
        if not size or min(run_ns) <= 0:
            msg = f"a latency model needs positive times, got {list(run_ns)} for sizes {list(size)}"
            raise ValueError(msg)
        curve = np.interp(np.arange(1, size_max + 1), size, run_ns)
        self._curve_ns: Float64Array = np.maximum.accumulate(curve)
        self._factor = _Window(_WINDOW, _QUANTILE, 1.0)
        self._used_factor = 0.0
        self._run_ns: Int64Array = self._curve_ns.astype(np.int64)

    @property
    def run_ns(self) -> Int64Array:
        """int64 [size_max]: ``run_ns[b - 1]`` is the predicted time of a batch of b; never decreasing."""
        if self._factor.value != self._used_factor:
            self._used_factor = self._factor.value
            run_ns = np.minimum(self._curve_ns * self._used_factor, _LONGEST_NS)
            self._run_ns = run_ns.astype(np.int64)
        return self._run_ns

    def predict_ns(self, size: int) -> int:
        """The predicted time of a batch of ``size`` events."""
        return int(self.run_ns[min(size, len(self.run_ns)) - 1])

    def observe(self, size: int, took_ns: int) -> None:
        """Learn that a batch of ``size`` took so long."""
        place = min(size, len(self._curve_ns)) - 1
        self._factor.add(max(took_ns, 1) / float(self._curve_ns[place]))

    def forget(self) -> None:
        """Let the next run alone tell the time: the last ones misled.

        After a stall of the executor nothing seems to fit a deadline, so nothing is run but a probe now and
        then; without this it would take a window full of probes, a quarter of a minute, to serve again.
        """
        self._factor.forget()


class SendLatency:
    """How long it takes from a decision to the broker's acknowledgement of it.

    Under overload every batch is planned so that its first events have just this time left. A broker's
    pauses (garbage collection: 5 to 30 ms every few seconds) then make late whatever was sent meanwhile:
    to be in time with 99.9% of them, the time allowed must be a quantile as high as that.

    Args:
        ceiling_ns: the most that it ever answers, so that one stall cannot make every event hopeless.
        first_ns: the least that it answers until it has seen enough sends.
    """

    __slots__ = ("_ceiling_ns", "_first_ns", "_seen", "_window")

    _SAMPLES = 2_048
    _TAIL = 0.999
    _HOPED_NS = 3_000_000
    """A broker that is near and well answers in that."""
    _ENOUGH = 256
    """Some seconds' sends under overload: connections are warm, and a pause or two was seen."""

    def __init__(self, *, ceiling_ns: int, first_ns: int = 3_000_000) -> None:
        self._ceiling_ns = ceiling_ns
        self._first_ns = first_ns
        self._seen = 0
        self._window = _Window(self._SAMPLES, self._TAIL, float(first_ns))

    @property
    def send_ns(self) -> int:
        """The time to allow for: the 99.9th percentile of the last sends."""
        allowed_ns = int(self._window.value)
        if self._seen < self._ENOUGH:
            allowed_ns = max(allowed_ns, self._first_ns)
        return min(allowed_ns, self._ceiling_ns)

    def observe(self, took_ns: int) -> None:
        """Learn that an acknowledgement took so long."""
        self._seen += 1
        self._window.add(float(took_ns))

    def forget(self) -> None:
        """Begin anew, and in hope: caution and what was seen made every event look hopeless."""
        self._seen = 0
        self._first_ns = min(self._first_ns, self._HOPED_NS)
        self._window = _Window(self._SAMPLES, self._TAIL, float(self._first_ns))

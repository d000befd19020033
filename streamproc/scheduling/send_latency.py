"""How long the way of a batch's decisions to the broker takes."""

import math

import numpy as np

_REFRESH = 8
"""Values between two looks at the window (a look costs 5 to 20 us)."""


class SendLatency:
    """How long it takes from a decision to the broker's acknowledgement of it.

    Under overload every batch is planned so that its first events have just this time left. A broker's
    pauses (garbage collection: 5 to 30 ms every few seconds) then make late whatever was sent meanwhile:
    to be in time with 99.9% of them, the time allowed must be a quantile as high as that.

    Args:
        ceiling_ns: the most that it ever answers, so that one stall cannot make every event hopeless.
        first_ns: the least that it answers until it has seen enough sends.
    """

    __slots__ = ("_first_ns", "_seen", "_tail_ns", "_took_ns", "ceiling_ns")

    _SAMPLES = 2_048
    _TAIL = 0.999
    _HOPED_NS = 3_000_000
    """A broker that is near and well answers in that."""
    _ENOUGH = 256
    """Some seconds' sends under overload: connections are warm, and a pause or two was seen."""

    def __init__(self, *, ceiling_ns: int, first_ns: int = 3_000_000) -> None:
        self.ceiling_ns = ceiling_ns
        self._first_ns = first_ns
        self._seen = 0
        self._tail_ns = first_ns
        self._took_ns = np.empty(self._SAMPLES, np.int64)

    @property
    def send_ns(self) -> int:
        """The time to allow for: the 99.9th percentile of the last sends."""
        allowed_ns = self._tail_ns
        if self._seen < self._ENOUGH:
            allowed_ns = max(allowed_ns, self._first_ns)
        return min(allowed_ns, self.ceiling_ns)

    def observe(self, took_ns: int) -> None:
        """Learn that an acknowledgement took so long."""
        self._took_ns[self._seen % self._SAMPLES] = took_ns
        self._seen += 1
        if self._seen <= _REFRESH or self._seen % _REFRESH == 0:
            held = self._took_ns[: min(self._seen, self._SAMPLES)]
            place = math.ceil(self._TAIL * (len(held) - 1))
            self._tail_ns = int(np.partition(held, place)[place])

    def forget(self) -> None:
        """Begin anew, and in hope: caution and what was seen made every event look hopeless."""
        self._seen = 0
        self._first_ns = min(self._first_ns, self._HOPED_NS)
        self._tail_ns = self._first_ns

"""How far producers' clocks are off, learned from when events say they happened and when they arrive.

An event cannot arrive before it happened. Where arrival minus event time goes below zero and stays there,
the producer's clock is ahead, and the lower envelope of these differences is how much: the idea of Cristian
(Distributed Computing 3, 1989) and of Moon, Skelly, Towsley (INFOCOM 1999), one-way. The other side tells
nothing by itself: a difference that is never small is a slow clock or a long way, so it is learned only where
no records were waiting, and applied only where the user says so.
"""

from collections import deque
from collections.abc import Iterator

import numpy as np

from streamproc.core import NS_PER_S, Int64Array
from streamproc.engine.options import Skew

SAMPLES_MIN = 100
"""Nothing is corrected before so many events of a source were seen."""
_BLOCK_SAMPLES = 1_024
_BLOCK_NS = NS_PER_S
_BLOCKS = 60
"""What was learned is forgotten after so many blocks: a minute, or longer where events are rare."""
_OUTLIERS = 50
"""One in so many may have a wild timestamp: the envelope passes them over."""
SOURCES_MAX = 16_384
"""Clocks that are followed at once; a further one begins with a clean table."""


class _Block:
    """Differences of a while, up to the low of them that no outlier makes."""

    __slots__ = ("_count", "_opened_ns", "_parts")

    def __init__(self) -> None:
        self._parts: list[Int64Array] = []
        self._count = 0
        self._opened_ns = 0

    def add(self, difference_ns: Int64Array, now_ns: int, *, early: bool) -> int | None:
        """Take differences in.

        Args:
            difference_ns: int64 [n].
            now_ns: the present instant.
            early: True to hear of the low before the block is full, and go on with it.

        Returns:
            the low where there is one to be heard of.
        """
        if not self._count:
            self._parts, self._opened_ns = [], now_ns
        room = _BLOCK_SAMPLES - self._count
        some = difference_ns[:: -(-len(difference_ns) // room)]  # spread over all of them
        self._parts.append(some)
        self._count += len(some)
        ended = self._count >= _BLOCK_SAMPLES or now_ns - self._opened_ns >= _BLOCK_NS
        if self._count < SAMPLES_MIN or not (ended or early):
            return None
        held = np.concatenate(self._parts)
        rank = len(held) // _OUTLIERS
        if ended:
            self._count = 0
        return int(np.partition(held, rank)[rank])


class _Envelope:
    """The lower envelope of one source's differences: the least low of its last blocks."""

    __slots__ = ("_all", "_at_end", "_lows", "value_ns")

    def __init__(self) -> None:
        self.value_ns: int | None = None
        self._lows: deque[int] = deque(maxlen=_BLOCKS)
        self._all = _Block()
        self._at_end = _Block()

    def add(self, difference_ns: Int64Array, now_ns: int, *, at_end: bool) -> None:
        """Differences of events that came now; at the log's end where they had not waited in it."""
        early = self.value_ns is None
        low = self._all.add(difference_ns, now_ns, early=early)
        if low is not None and low < (self.value_ns or 0):
            self._learn(low)
        if at_end:  # those that had waited are late for that reason: they can only lower it
            low = self._at_end.add(difference_ns, now_ns, early=early)
            if low is not None:
                self._learn(low)

    def _learn(self, low: int) -> None:
        self._lows.append(low)
        self.value_ns = min(self._lows)


class ClockSkew:
    """Follows the clocks of all sources.

    Args:
        options: whose clock counts as one, and what is done about slow ones.
    """

    def __init__(self, options: Skew) -> None:
        self._slow_max_ns = int(options.max) if options.slow == "correct" else 0
        self._envelopes: dict[str, _Envelope] = {}

    def correction_ns(
        self, source: str, difference_ns: Int64Array, now_ns: int, *, at_end: bool
    ) -> int:
        """What is to be added to the event times of a source, in ns.

        Args:
            source: whose clock it is.
            difference_ns: int64 [n], arrival minus event time of the events that have one; learned from.
            now_ns: the present instant.
            at_end: True where these events had not waited in the log.
        """
        envelope = self._envelopes.get(source)
        if envelope is None:
            if len(self._envelopes) >= SOURCES_MAX:
                self._envelopes.clear()
            envelope = self._envelopes[source] = _Envelope()
        if len(difference_ns):
            envelope.add(difference_ns, now_ns, at_end=at_end)
        return min(envelope.value_ns or 0, self._slow_max_ns)

    def known(self) -> Iterator[tuple[str, int]]:
        """The sources whose clocks are known, and how far each is behind ours in ns; negative is ahead."""
        for source, envelope in self._envelopes.items():
            if envelope.value_ns is not None:
                yield source, envelope.value_ns

"""Controlled delay: a standing queue is shortened, a burst is left alone."""

import math

from streamproc.scheduling.policies.options import CoDel


class ControlledDelay:
    """Says how many of the oldest waiting events are to be given up.

    Nichols and Jacobson 2012, RFC 8289: while even the event that waited longest has waited longer than
    ``target`` for a whole ``interval``, one is given up, and the next after ``interval / sqrt(count)``.

    Args:
        options: target and interval.
    """

    def __init__(self, options: CoDel) -> None:
        self._target_ns = int(options.target)
        self._interval_ns = int(options.interval)
        self._above_since_ns: int | None = None
        self._dropped = 0
        self._next_ns = 0

    def excess(self, oldest_since_ns: int, now_ns: int) -> int:
        """How many to give up now.

        Args:
            oldest_since_ns: since when the event waits that is served next.
            now_ns: the present instant.
        """
        if now_ns - oldest_since_ns < self._target_ns:
            self._above_since_ns, self._dropped = None, 0
            return 0
        if self._above_since_ns is None:
            self._above_since_ns = now_ns
            self._next_ns = now_ns + self._interval_ns
        count = 0
        while now_ns >= self._next_ns:
            count += 1
            self._dropped += 1
            self._next_ns += max(1, int(self._interval_ns / math.sqrt(self._dropped)))
        return count

"""Traced events whose positions are still to be stored."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from streamproc.core import TopicPartition
from streamproc.telemetry.journey import Committed
from streamproc.telemetry.sampling import SpanIds

OPEN_MAX: Final = 4_096
"""Events that wait for their commit; the oldest are given up where there are more."""
_COMMITS_KEPT: Final = 64
"""Of a partition: an event that is told of ten seconds later still finds the commit that was its own."""


class _Commit(NamedTuple):
    position: int
    began_ns: int
    ended_ns: int


class OpenCommits:
    """Tells of each traced event when the position behind it was stored.

    Args:
        tell: takes what is told.
    """

    def __init__(self, tell: Callable[[Committed], None]) -> None:
        self._tell = tell
        self._open: deque[tuple[TopicPartition, int, SpanIds]] = deque(maxlen=OPEN_MAX)
        self._commits: dict[TopicPartition, deque[_Commit]] = {}

    def add(self, source: TopicPartition, offset: int, ids: SpanIds) -> None:
        """A traced event has its outcome."""
        commits = self._commits.get(source)
        if commits and offset < commits[-1].position:
            place = bisect_right(commits, offset, key=lambda commit: commit.position)
            own = commits[place]
            self._tell(Committed(source, ids, own.began_ns, own.ended_ns))
        else:
            self._open.append((source, offset, ids))

    def committed(
        self, positions: Mapping[TopicPartition, int], began_ns: int, ended_ns: int
    ) -> None:
        """Positions were stored.

        Args:
            positions: by partition; all records before them have their outcome.
            began_ns: when that was begun.
            ended_ns: when it was done.
        """
        for source, position in positions.items():
            kept = self._commits.setdefault(source, deque(maxlen=_COMMITS_KEPT))
            if kept and position <= kept[-1].position:
                kept.clear()  # read again from an earlier one
            kept.append(_Commit(position, began_ns, ended_ns))
        # None of these was behind an earlier commit: it would have been told then.
        still: list[tuple[TopicPartition, int, SpanIds]] = []
        for waiting in self._open:
            source, offset, ids = waiting
            if offset < positions.get(source, offset):
                self._tell(Committed(source, ids, began_ns, ended_ns))
            else:
                still.append(waiting)
        self._open.clear()
        self._open.extend(still)

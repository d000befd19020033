"""In which lane an event is, by the user's expressions."""

from collections.abc import Sequence

import numpy as np

from streamproc.core import Columns, EventBatch, Int64Array
from streamproc.features import Expression


class Lanes:
    """Puts events into lanes: each into the first one that matches, into the last one where none does.

    Args:
        when: one expression a lane but for the last, which has none.
    """

    def __init__(self, when: Sequence[Expression]) -> None:
        self._when = tuple(when)

    def of(self, columns: Columns, count: int) -> Int64Array:
        """The lanes of events (int64 [count]).

        Args:
            columns: the decoded fields by name, each [count, ...].
            count: how many events.
        """
        lane = np.full(count, len(self._when))
        for number in range(len(self._when) - 1, -1, -1):
            lane[self._when[number].mask(columns, count)] = number
        return lane


def lane_of(events: EventBatch) -> "Int64Array | int":
    """The events' lanes; 0 where there is only one."""
    return 0 if events.lane is None else events.lane

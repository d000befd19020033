"""In which lane an event is, by the user's expressions."""

from collections.abc import Sequence

import numpy as np

from streamproc.core import Array, Columns, EventBatch, Int64Array
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
            matches = evaluated(self._when[number], columns)
            if matches is not None:
                lane[np.broadcast_to(matches, count)] = number
        return lane


def lane_of(events: EventBatch) -> "Int64Array | int":
    """The events' lanes; 0 where there is only one."""
    return 0 if events.lane is None else events.lane


def evaluated(expression: Expression, columns: Columns) -> Array | None:
    """An expression's values; None where it cannot be calculated: such an event is an ordinary one.

    The types were looked at when the configuration was read, so that only values can be wrong, such as a
    negative power of a whole number.
    """
    try:
        with np.errstate(all="ignore"):
            return np.asarray(expression.evaluate(columns))
    except Exception:  # noqa: BLE001 - what a producer writes must not stop the stream
        return None

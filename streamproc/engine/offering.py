"""What the scheduler is told of events: times, lanes, and what they cost and are worth."""

from collections.abc import Iterable

import numpy as np

from streamproc.core import EventBatch, Int64Array
from streamproc.features import Expression
from streamproc.scheduling import Offered

_COST_MIN = 1e-6
"""Of an ordinary event's: none is so cheap that a batch of any number would cost nothing."""
_NO_KEY = hash(None)


class Offering:
    """Makes what the scheduler is offered.

    Args:
        cost: what an event takes of the model, 1 being an ordinary one; None for all alike.
        value: what a decision in time is worth; None for all alike.
        keys: whether the scheduler asks for hashes of keys.
    """

    def __init__(
        self,
        *,
        cost: Expression | None = None,
        value: Expression | None = None,
        keys: bool = False,
    ) -> None:
        self._cost = cost
        self._value = value
        self._keys = keys

    def of(self, events: EventBatch, partition: int) -> Offered:
        """What the scheduler is told of events of one partition.

        A cost that is no positive number is an ordinary event's; a value that is none is 0.
        """
        cost = value = None
        if self._cost is not None:
            cost = self._cost.values(events.columns, len(events))
            cost = np.where(np.isfinite(cost) & (cost > 0), np.maximum(cost, _COST_MIN), 1.0)
        if self._value is not None:
            value = self._value.values(events.columns, len(events))
            value = np.where(np.isfinite(value), np.maximum(value, 0.0), 0.0)
        return Offered(
            events.number,
            events.deadline_ns,
            partition,
            lane=events.lane,
            key=key_hashes(events.key.tolist(), events.number) if self._keys else None,
            cost=cost,
            value=value,
            arm=events.arm,
        )


def key_hashes(keys: Iterable[bytes | None], number: Int64Array) -> Int64Array:
    """Hashes of keys (int64 [n]); what has no key is a key of its own.

    Args:
        keys: n keys.
        number: int64 [n], different for each, to tell those without a key apart.
    """
    hashes = np.fromiter(map(hash, keys), np.int64, len(number))
    none = hashes == _NO_KEY
    return np.where(none, ~number, hashes) if none.any() else hashes

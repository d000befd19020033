"""What the scheduler is told of events: times, lanes, and what they cost and are worth."""

from collections.abc import Iterable

import numpy as np

from streamproc.core import EventBatch, Float64Array, Int64Array
from streamproc.engine.lanes import evaluated
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
            cost = _numbers(self._cost, events)
            if cost is not None:
                cost = np.maximum(np.where(np.isfinite(cost) & (cost > 0), cost, 1.0), _COST_MIN)
        if self._value is not None:
            value = _numbers(self._value, events)
            if value is not None:
                value = np.where(np.isfinite(value), np.maximum(value, 0.0), 0.0)
        return Offered(
            events.number,
            events.deadline_ns,
            partition,
            lane=events.lane,
            key=key_hashes(events.key.tolist(), events.number) if self._keys else None,
            cost=cost,
            value=value,
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


def _numbers(expression: Expression, events: EventBatch) -> Float64Array | None:
    made = evaluated(expression, events.columns)
    if made is None:
        return None
    return np.broadcast_to(made.astype(np.float64, copy=False), len(events))

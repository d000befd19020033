"""What arrives in a simulation."""

from dataclasses import dataclass

import numpy as np

from streamproc.core import Float64Array, Int64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Events, one row each, in the order of their arrival.

    Attributes:
        arrival_ns: int64 [n], ascending.
        deadline_ns: int64 [n], when each decision must be with the broker.
        lane: int64 [n], indexes into the lanes; None where there is only one.
        key: int64 [n], hashes of their keys; None for each of its own.
        value: float64 [n], what a decision in time is worth; None for all alike.
        cost: float64 [n], what each takes of the executor, 1 being an ordinary one; None for all alike.
        bursts: how many bursts it holds, where that is known.
    """

    arrival_ns: Int64Array
    deadline_ns: Int64Array
    lane: Int64Array | None = None
    key: Int64Array | None = None
    value: Float64Array | None = None
    cost: Float64Array | None = None
    bursts: int | None = None

    def __post_init__(self) -> None:
        columns = (self.deadline_ns, self.lane, self.key, self.value, self.cost)
        if any(column is not None and len(column) != len(self) for column in columns):
            raise ValueError("all columns must have one row an event")
        if (np.diff(self.arrival_ns) < 0).any():
            raise ValueError("arrivals must be ascending")

    def __len__(self) -> int:
        return len(self.arrival_ns)

    @property
    def rate_per_s(self) -> float:
        """Their mean rate, events a second."""
        if len(self) < 2:  # noqa: PLR2004 - one event has no rate
            return 0.0
        return (len(self) - 1) * 1e9 / max(1, int(self.arrival_ns[-1] - self.arrival_ns[0]))

    def scaled(self, factor: float) -> "Traffic":
        """The same events at so many times their rate; each keeps its budget."""
        origin_ns = self.arrival_ns[:1]
        arrival_ns = origin_ns + ((self.arrival_ns - origin_ns) / factor).astype(np.int64)
        return Traffic(
            arrival_ns=arrival_ns,
            deadline_ns=arrival_ns + (self.deadline_ns - self.arrival_ns),
            lane=self.lane,
            key=self.key,
            value=self.value,
            cost=self.cost,
            bursts=self.bursts,
        )

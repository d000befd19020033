"""What the scheduler is told of events: times and numbers, nothing of what is in them."""

from dataclasses import dataclass
from typing import Self

from streamproc.core import Float64Array, Int64Array, Rows, light


@light
@dataclass(frozen=True, slots=True)
class Offered:
    """Events of one partition that wait from now on, one row each.

    Attributes:
        number: int64 [n], running numbers, ascending and higher than all before.
        deadline_ns: int64 [n], when each decision must be with the broker.
        partition: the partition that all of them are of.
        lane: int64 [n], indexes into the scheduler's lanes; None where there is only one.
        key: int64 [n], a hash of each event's key; None where neither order nor a policy asks for keys.
        cost: float64 [n], what each takes of the executor, 1 being an ordinary event; None for all alike.
        value: float64 [n], what a decision in time is worth; None for all alike.
        arm: int64 [n], numbers of the arms whose events they are; None where all are of the model itself.
    """

    number: Int64Array
    deadline_ns: Int64Array
    partition: int
    lane: Int64Array | None = None
    key: Int64Array | None = None
    cost: Float64Array | None = None
    value: Float64Array | None = None
    arm: Int64Array | None = None

    def __len__(self) -> int:
        return len(self.number)

    def take(self, rows: Rows) -> Self:
        """Some of them."""
        return type(self)(
            number=self.number[rows],
            deadline_ns=self.deadline_ns[rows],
            partition=self.partition,
            lane=None if self.lane is None else self.lane[rows],
            key=None if self.key is None else self.key[rows],
            cost=None if self.cost is None else self.cost[rows],
            value=None if self.value is None else self.value[rows],
            arm=None if self.arm is None else self.arm[rows],
        )

"""What an event's fate hangs on: who else came, what ran them, and by which rules."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from streamproc.core import Int64Array, Outcome
from streamproc.replay.simulation import IN_TIME, Machine, Result, Rules, simulate
from streamproc.replay.why.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """The events of a window, and what decides when they run.

    Attributes:
        window: the events.
        machine: what runs and sends them.
        rules: what the scheduler goes by.
        event: the row of the event that is asked about.
    """

    window: Window
    machine: Machine
    rules: Rules
    event: int

    @property
    def arrival_ns(self) -> int:
        """When the event arrived."""
        return int(self.window.traffic.arrival_ns[self.event])

    @property
    def deadline_ns(self) -> int:
        """When its decision must be with the broker."""
        return int(self.window.traffic.deadline_ns[self.event])

    @property
    def lane(self) -> int:
        """Its lane's place among the rules'."""
        lane = self.window.traffic.lane
        return 0 if lane is None else int(lane[self.event])

    def since(self, start_ns: int) -> "Setting":
        """The same with what arrived from an instant on, at most that of the event."""
        begin = int(self.window.traffic.arrival_ns.searchsorted(min(start_ns, self.arrival_ns)))
        return self.of(np.arange(begin, len(self.window)))

    @property
    def until_due(self) -> "Setting":
        """The same without what arrived after the event was due."""
        due_ns = max(self.deadline_ns, self.arrival_ns)
        last = int(self.window.traffic.arrival_ns.searchsorted(due_ns, side="right"))
        return self.of(np.arange(max(last, self.event + 1)))

    def of(self, rows: Int64Array) -> "Setting":
        """The same with these rows of the window only, ascending, the event's among them."""
        event = int(rows.searchsorted(self.event))
        return replace(self, window=self.window.take(rows), event=event)

    def run(self) -> Result:
        """Let all of it come to its end, on a virtual clock: the same again each time."""
        return simulate(self.window.traffic, self.machine, self.rules, rng=np.random.default_rng(0))

    @property
    def outcome(self) -> Outcome:
        """What becomes of the event."""
        return Outcome(int(self.run().outcome[self.event]))


def share_in_time(settings: Sequence[Setting]) -> float:
    """In how many of them the event is in time."""
    return sum(one.outcome in IN_TIME for one in settings) / len(settings)

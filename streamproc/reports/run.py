"""What a report is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamproc.core import NS_PER_S, Outcome
from streamproc.telemetry import Accounts, Interval

IN_TIME = (Outcome.ON_TIME, Outcome.DEGRADED)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at from outside of the pipeline.

    Attributes:
        text: what was found.
        ok: False where a promise was broken.
    """

    text: str
    ok: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that is over.

    Attributes:
        accounts: its books.
        intervals: what happened when.
        began_ns: the instant of its begin, since 1970.
        duration_s: how long it lasted.
        cpu_s: the CPU time that it took, of all its processes.
        budget_ns: how long a decision may take.
        from_event_time: False where the budget counts from the arrival, so that it cannot be held against the
            latencies, which count from the event.
        overload_meant: True where the load was chosen to be too much, so that there is nothing to advise.
        failure: why it ended before it was meant to; None where it did not.
        notes: what must be known to read the figures.
        checks: what was verified from outside; empty where nobody looked.
        facts: what ran where: by group, values by name.
    """

    accounts: Accounts
    intervals: Sequence[Interval]
    began_ns: int
    duration_s: float
    cpu_s: float
    budget_ns: int
    from_event_time: bool = True
    overload_meant: bool = False
    failure: str | None = None
    notes: Sequence[str] = ()
    checks: Sequence[Check] = ()
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def in_time(self) -> int:
        """Events that were decided before their deadline."""
        outcomes = self.accounts.outcomes
        return sum(outcomes[outcome] for outcome in IN_TIME)

    @property
    def rate_per_s(self) -> float:
        """Events a second on average."""
        return self.accounts.consumed / self.duration_s if self.duration_s > 0 else 0.0

    @property
    def edges_s(self) -> list[float]:
        """Where the intervals begin, and the end of the last; seconds since the first, [n + 1]."""
        if not self.intervals:
            return []
        start_ns = self.intervals[0].start_ns
        ends = (interval.end_ns for interval in self.intervals)
        return [0.0, *((end_ns - start_ns) / NS_PER_S for end_ns in ends)]

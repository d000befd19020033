"""A run over time: what happened in each of its intervals, in bounded memory however long it lasts."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

from streamproc.core import NS_PER_MS, Outcome
from streamproc.telemetry.accounts import Accounts
from streamproc.telemetry.gauges import Gauges
from streamproc.telemetry.latency_counts import LatencyCounts
from streamproc.telemetry.tail import STAGES, Stage

STEP_NS = 200 * NS_PER_MS
"""The shortest interval at first: below the 250 ms between two samples, so that each makes one."""
INTERVALS_MAX = 200
"""2 MB of memory (a moment holds 9 KB), and as many as a plot of a phone's width can show."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What happened between two moments.

    Attributes:
        start_ns: its begin, on the pipeline's clock.
        end_ns: its end.
        settled: events that got their outcome, by outcome and reason; those that occurred.
        latency: of the decisions acknowledged in it, from event time to acknowledgement.
        stage_mean_ns: how long events spent in a stage on average, for the stages that some passed.
        batches: micro-batches started.
        batched: events in them.
        queue_depth: the most events that waited for a batch at a sample; None where it is not measured.
        lag: the most records that were still to be fetched at a sample.
    """

    start_ns: int
    end_ns: int
    settled: Mapping[tuple[Outcome, str], int]
    latency: LatencyCounts
    stage_mean_ns: Mapping[Stage, float]
    batches: int
    batched: int
    queue_depth: int | None
    lag: int

    @property
    def consumed(self) -> int:
        """Events that got their outcome."""
        return sum(self.settled.values())

    def outcome(self, outcome: Outcome) -> int:
        """Events of one outcome, whatever the reason."""
        return sum(count for (found, _), count in self.settled.items() if found is outcome)


@dataclass(frozen=True, slots=True)
class _Moment:
    """The books at one moment, and the peaks of the gauges since the moment before."""

    at_ns: int
    settled: Mapping[tuple[Outcome, str], int]
    latency: LatencyCounts
    stages: Mapping[Stage, tuple[int, int]]
    batches: int
    batched: int
    queue_depth: int | None
    lag: int

    def after(self, other: "_Moment") -> "_Moment":
        """This moment, with the peaks of one before it that is left out."""
        depths = [d for d in (self.queue_depth, other.queue_depth) if d is not None]
        return replace(self, queue_depth=max(depths, default=None), lag=max(self.lag, other.lag))


class Timeline:
    """Keeps the books' moments; what lies between two of them is an interval.

    The books only ever grow, so leaving a moment out joins its two intervals exactly, percentiles
    included. When there are too many, every second one is left out, and intervals are twice as long from then on.

    Args:
        step_ns: the shortest interval at first; samples that come sooner are joined.
        intervals_max: how many intervals are kept at most, an even number.

    Raises:
        ValueError: intervals_max is odd or below 2.
    """

    def __init__(self, *, step_ns: int = STEP_NS, intervals_max: int = INTERVALS_MAX) -> None:
        if intervals_max < 2 or intervals_max % 2:  # noqa: PLR2004 - a pair
            msg = f"intervals are joined in pairs: an even number, was {intervals_max}"
            raise ValueError(msg)
        self._step_ns = step_ns
        self._moments_max = intervals_max + 1
        self._moments: list[_Moment] = []

    def sample(self, accounts: Accounts, gauges: Gauges, now_ns: int) -> None:
        """Take a moment; the first one is the begin.

        Args:
            accounts: the books; they are not kept.
            gauges: how things stand.
            now_ns: when, not before the last one.
        """
        moment = _moment(accounts, gauges, now_ns)
        moments = self._moments
        if len(moments) > 1 and moments[-1].at_ns - moments[-2].at_ns < self._step_ns:
            moments[-1] = moment.after(moments[-1])
            return
        if len(moments) == self._moments_max:
            self._halve()
        moments.append(moment)

    def intervals(self) -> list[Interval]:
        """What happened, in the order of time; a last piece too short to tell anything is joined."""
        moments = [*self._moments]
        if len(moments) > 2 and moments[-1].at_ns - moments[-2].at_ns < self._step_ns // 2:  # noqa: PLR2004
            moments[-2:] = [moments[-1].after(moments[-2])]
        return [_between(*pair) for pair in itertools.pairwise(moments)]

    def _halve(self) -> None:
        """Leave every second moment out."""
        begin, *others = self._moments
        self._moments[:] = [
            begin,
            *(kept.after(left) for left, kept in zip(others[::2], others[1::2], strict=True)),
        ]
        self._step_ns *= 2


def _moment(accounts: Accounts, gauges: Gauges, now_ns: int) -> _Moment:
    return _Moment(
        at_ns=now_ns,
        settled=accounts.settled,
        latency=accounts.e2e.counts(),
        stages={name: (stage.count, stage.sum_ns) for name, stage in accounts.stages.items()},
        batches=sum(accounts.batches.values()),
        batched=accounts.batched,
        queue_depth=gauges.queue_depth,
        lag=sum(gauges.lag_records.values()),
    )


def _between(before: _Moment, after: _Moment) -> Interval:
    grown = {key: count - before.settled.get(key, 0) for key, count in after.settled.items()}
    means: dict[Stage, float] = {}
    for name in STAGES:
        count = after.stages[name][0] - before.stages[name][0]
        if count:
            means[name] = (after.stages[name][1] - before.stages[name][1]) / count
    return Interval(
        start_ns=before.at_ns,
        end_ns=after.at_ns,
        settled={key: count for key, count in grown.items() if count},
        latency=after.latency.since(before.latency),
        stage_mean_ns=means,
        batches=after.batches - before.batches,
        batched=after.batched - before.batched,
        queue_depth=after.queue_depth,
        lag=after.lag,
    )

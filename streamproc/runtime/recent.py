"""What happened lately: rates and percentiles since a moment some seconds ago, for who looks on."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streamproc.core import NS_PER_MS, NS_PER_S, Outcome
from streamproc.telemetry import STAGES, Accounts, LatencyCounts, Stage

WINDOW_NS: Final = 30 * NS_PER_S
"""So far back at most, if anybody looked then."""
_APART_NS: Final = NS_PER_S
"""Moments are not kept closer together: several may look on."""
_IN_TIME: Final = (Outcome.ON_TIME, Outcome.DEGRADED)


@dataclass(frozen=True, slots=True)
class _Moment:
    """The books at one moment; 80 kB."""

    at_ns: int
    outcomes: Mapping[Outcome, int]
    latency: LatencyCounts
    stages: Mapping[Stage, LatencyCounts]
    batches: int
    batched: int
    room: int
    busy_ns: int


class Recent:
    """Keeps the moments at which somebody looked, of the last 30 s; costs nothing while nobody does."""

    def __init__(self) -> None:
        self._moments: deque[_Moment] = deque()

    def look(self, accounts: Accounts, slots: int | None, now_ns: int) -> dict[str, object] | None:
        """What happened since the oldest moment that is kept.

        Args:
            accounts: the books.
            slots: micro-batches that can run at the same time.
            now_ns: the present instant.

        Returns:
            None where nobody looked before.
        """
        now = _moment(accounts, now_ns)
        moments = self._moments
        while len(moments) > 1 and moments[0].at_ns < now_ns - WINDOW_NS:
            moments.popleft()
        then = moments[0] if moments else None
        if then is None or moments[-1].at_ns <= now_ns - _APART_NS:
            moments.append(now)
        if then is None or then.at_ns >= now_ns or then.latency.count > now.latency.count:
            return None
        return _between(then, now, slots)


def _moment(accounts: Accounts, now_ns: int) -> _Moment:
    return _Moment(
        at_ns=now_ns,
        outcomes=accounts.outcomes,
        latency=accounts.e2e.counts(),
        stages={stage: histogram.counts() for stage, histogram in accounts.stages.items()},
        batches=sum(accounts.batches.values()),
        batched=accounts.batched,
        room=accounts.batch_room,
        busy_ns=sum(busy_ns for _, busy_ns in accounts.variants.values()),
    )


def _between(then: _Moment, now: _Moment, slots: int | None) -> dict[str, object]:
    seconds = (now.at_ns - then.at_ns) / NS_PER_S
    ended = {outcome: now.outcomes[outcome] - then.outcomes[outcome] for outcome in Outcome}
    batches, batched = now.batches - then.batches, now.batched - then.batched
    room, busy_ns = now.room - then.room, now.busy_ns - then.busy_ns
    latency = now.latency.since(then.latency)
    stages = {stage: now.stages[stage].since(then.stages[stage]) for stage in STAGES}
    return {
        "over_s": round(seconds, 1),
        "consumed_per_s": round(sum(ended.values()) / seconds, 1),
        "goodput_per_s": round(sum(ended[outcome] for outcome in _IN_TIME) / seconds, 1),
        "outcomes": {outcome.word: count for outcome, count in ended.items()},
        "latency_ms": _percentiles_ms(latency, {"p50": 50, "p90": 90, "p99": 99, "p999": 99.9}),
        "stages_ms": {
            stage: {"mean": _ms(counts.mean_ns), **_percentiles_ms(counts, {"p50": 50, "p99": 99})}
            for stage, counts in stages.items()
            if counts.count
        },
        "batches_per_s": round(batches / seconds, 1),
        "batch_size": round(batched / batches, 1) if batches else None,
        "batch_fill": round(batched / room, 3) if room else None,
        "utilisation": round(busy_ns / (seconds * NS_PER_S * slots), 3) if slots else None,
    }


def _percentiles_ms(counts: LatencyCounts, wanted: Mapping[str, float]) -> dict[str, float]:
    if not counts.count:
        return {}
    return {name: _ms(counts.percentile_ns(q)) for name, q in wanted.items()}


def _ms(value_ns: float) -> float:
    return round(value_ns / NS_PER_MS, 3)

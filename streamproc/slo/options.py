"""What a user can set of objectives, and of who is told when one is at risk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from streamproc.core import NS_PER_S, Duration
from streamproc.slo.sessions import Session

Ending: TypeAlias = Literal["on_time", "degraded", "late", "shed", "dead_letter"]
"""How an event that wanted a decision ended; what was filtered or absorbed wanted none, and is not counted."""

PERIOD_MIN_NS: Final = 24 * 3_600 * NS_PER_S
PERIOD_MAX_NS: Final = 92 * PERIOD_MIN_NS
_PERCENT: Final = 100.0
_HOUR: Final = Duration.parse("1h")
_MINUTE: Final = Duration.parse("1m")
_MONTH: Final = Duration.parse("30d")
_TEN_MINUTES: Final = Duration.parse("10m")
_FIVE_SECONDS: Final = Duration.parse("5s")
_FOUR_HOURS: Final = Duration.parse("4h")


@dataclass(frozen=True, slots=True)
class Labels:
    """The truth that comes later: records of a topic, each about one decision.

    Attributes:
        topic: where they are, on the source's cluster; their values are JSON objects.
        id: the field with the decision's id, ``topic/partition/offset``.
        label: the field with what would have been right.
        decided: the field of the decision's ``output`` that is held against it, dots between its parts.
        within: a decision is remembered for so long; a label that comes later counts nowhere.
        remember: decisions that are remembered at most; the oldest go first.
    """

    topic: str
    id: str = "id"
    label: str = "label"
    decided: str = "label"
    within: Duration = _HOUR
    remember: int = 1_000_000

    def __post_init__(self) -> None:
        if self.within <= 0:
            msg = f"within must be above 0, such as 1h, was {self.within}"
            raise ValueError(msg)
        if self.remember < 1:
            msg = f"remember must be at least 1, was {self.remember}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class OnBurn:
    """What is done while the budget burns, and given back when it no longer does.

    Attributes:
        variant: decide with this variant of the model or a cheaper one; null leaves the choice alone.
        max_queue: shed what comes while so many events wait, as ``tail_drop`` does; null leaves it alone.
        roll_back: take the canary of ``rollout`` back, which stays so when the budget no longer burns.
        at: what must fire: a ``page``, or already a ``ticket``.
        hold: it is given back when nothing fires and the short windows have burned less than the budget allows for
            so long.
    """

    variant: str | None = None
    max_queue: int | None = None
    roll_back: bool = False
    at: Literal["page", "ticket"] = "page"
    hold: Duration = _MINUTE

    def __post_init__(self) -> None:
        if self.variant is None and self.max_queue is None and not self.roll_back:
            msg = "says nothing: name a variant of the model, max_queue, or roll_back"
            raise ValueError(msg)
        if self.max_queue is not None and self.max_queue < 1:
            msg = f"max_queue must be at least 1, was {self.max_queue}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Objective:
    """A promise about a share of the events: exactly one of ``good``, ``bad``, ``latency``, ``freshness`` and ``labels`` says which.

    Attributes:
        name: of the objective, in metrics and alerts.
        objective: the share that is to be good, in percent, above 0 and below 100.
        good: the outcomes that are good, such as ``on_time``; all others are bad.
        bad: the outcomes that are bad, such as ``shed``; all others are good.
        latency: good is a decision that the broker had so long after its event.
        freshness: good is an event that was fetched so long after it happened.
        labels: good is a decision that its label, which comes later, says was right.
        lane: only of this lane; with ``good`` and ``bad``.
        period: over which the share is promised: from 1d to 92d, or a trading session.
        min_events: no burn rate is believed before so many events were in its long window.
        absent: alert where no event came for so long; 0 never does.
        on_burn: what is done about it; null only tells.
    """

    name: str
    objective: float
    good: Ending | Sequence[Ending] = ()
    bad: Ending | Sequence[Ending] = ()
    latency: Duration | None = None
    freshness: Duration | None = None
    labels: Labels | None = None
    lane: str | None = None
    period: Duration | Session = _MONTH
    min_events: int = 100
    absent: Duration = _TEN_MINUTES
    on_burn: OnBurn | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.objective < _PERCENT:
            msg = f"objective must be a share in percent above 0 and below 100, such as 99.9, was {self.objective:g}"
            raise ValueError(msg)
        said = {
            "good": bool(self.good),
            "bad": bool(self.bad),
            "latency": self.latency is not None,
            "freshness": self.freshness is not None,
            "labels": self.labels is not None,
        }
        kinds = [kind for kind, there in said.items() if there]
        if len(kinds) != 1:
            had = " and ".join(kinds) or "none"
            msg = f"must say with exactly one of {', '.join(said)} what is good, had {had}"
            raise ValueError(msg)
        for name in ("latency", "freshness"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                msg = f"{name} must be above 0, such as 50ms, was {value}"
                raise ValueError(msg)
        if self.lane is not None and kinds[0] not in ("good", "bad"):
            msg = f"lane is for good and bad: {kinds[0]} is not counted by lane"
            raise ValueError(msg)
        if self.min_events < 1:
            msg = f"min_events must be at least 1, was {self.min_events}"
            raise ValueError(msg)
        if isinstance(self.period, Duration) and not PERIOD_MIN_NS <= self.period <= PERIOD_MAX_NS:
            msg = f"period must be from 1d to 92d, or a session, was {self.period}"
            raise ValueError(msg)

    @property
    def budget(self) -> float:
        """The share that may be bad, 0 to 1."""
        return (_PERCENT - self.objective) / _PERCENT

    @property
    def period_ns(self) -> int:
        """The length of the period."""
        return self.period.length_ns if isinstance(self.period, Session) else int(self.period)

    @property
    def session(self) -> Session | None:
        """The session that the period is; None where it is a rolling one."""
        return self.period if isinstance(self.period, Session) else None


def endings(one_or_more: Ending | Sequence[Ending]) -> tuple[Ending, ...]:
    """The outcomes of ``good`` or ``bad``, which may be written as one word."""
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


def latencies_ns(objectives: Sequence[Objective]) -> set[int]:
    """The latencies that must be bounds of the histograms."""
    asked = [latency for o in objectives for latency in (o.latency, o.freshness)]
    return {int(latency) for latency in asked if latency is not None}


@dataclass(frozen=True, slots=True)
class Alerts:
    """Who is told, and how often it is looked.

    Attributes:
        webhook: where alerts are posted, in the format of Alertmanager's webhooks; null posts nowhere.
        token: sent with each as ``Authorization: Bearer``, such as ``${env:HOOK_TOKEN}``.
        topic: where alerts are written, on the sink's cluster; null writes nowhere.
        every: how often the books are looked at.
        repeat: an alert that still fires is told again after so long.
        state: a file in which the windows survive a restart; null begins anew each time.
    """

    webhook: str | None = None
    token: str | None = field(default=None, repr=False)
    topic: str | None = None
    every: Duration = _FIVE_SECONDS
    repeat: Duration = _FOUR_HOURS
    state: str | None = None

    def __post_init__(self) -> None:
        if self.webhook is not None and not self.webhook.startswith(("http://", "https://")):
            msg = (
                f"webhook must be a URL such as http://localhost:9000/alerts, was {self.webhook!r}"
            )
            raise ValueError(msg)
        if not NS_PER_S // 10 <= self.every <= 60 * NS_PER_S:
            msg = f"every must be from 100ms to 1m, was {self.every}"
            raise ValueError(msg)
        if self.repeat <= 0:
            msg = f"repeat must be above 0, such as 4h, was {self.repeat}"
            raise ValueError(msg)


def percent(share: float) -> str:
    """A share as people write it: ``99.9%``."""
    return f"{round(share * _PERCENT, 6):g}%" if math.isfinite(share) else "unknown"

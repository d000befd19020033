"""What a user can set of events' times, keys and outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from streamproc.core import Duration


@dataclass(frozen=True, slots=True)
class EventTime:
    """Where an event says when it happened.

    Attributes:
        field: a decoded integer field; None takes the record's timestamp.
        unit: the unit of the field since 1970.
    """

    field: str | None = None
    unit: Literal["s", "ms", "us", "ns"] = "ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reorder:
    """Events are taken in the order in which they happened, those of all topics with one another.

    Partitions of one number are one stream: their topics must be co-partitioned (as many partitions, and a key in the
    same one), and what is remembered of a key is shared by them. An event waits until none can come any more that
    happened before it: until each of these partitions has one that is ``slack`` younger, or was read to its end and
    silent for as long. Of events of one instant, those of the topic that is named first come first.

    Attributes:
        slack: how much later than younger ones of its partition an event may come and still take its place. One that
            is later is taken when it comes, if ``state.grace`` lets it in.
        idle: how much longer a partition that was read to its end is waited for, by the clock. The longer, the less
            the order depends on how quickly the topics came here.
        max_events: how many wait at once in the partitions of one number. A topic that is ahead is not read on when
            half of them wait; where the slack alone holds more, the oldest go on early.
    """

    slack: Duration
    idle: Duration = Duration(0)  # noqa: RUF009 - immutable
    max_events: int = 50_000

    def __post_init__(self) -> None:
        if self.slack < 0 or self.idle < 0:
            msg = "slack and idle must not be below 0"
            raise ValueError(msg)
        if self.max_events < 1:
            msg = f"max_events must be at least 1, was {self.max_events}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Skew:
    """What is done about producers' clocks that are off.

    A clock that is ahead is always put right: its events would arrive before they happened. How much is
    learned from a minute of arrivals, from the 100th event on; before that, and for the rest that varies,
    the budget counts from the arrival at the latest.

    Attributes:
        by: whose clock counts as one: a topic's ``partition``, a whole ``topic``, or a record's ``key``.
        slow: a clock that is behind looks like a long way to here. ``report`` says it in the log and in
            ``streamproc_event_time_skew_seconds``; ``correct`` adds what was learned at the end of the log.
        max: the most that ``correct`` adds.
    """

    by: Literal["partition", "topic", "key"] = "partition"
    slow: Literal["report", "correct"] = "report"
    max: Duration = Duration.parse("5s")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a decision must be with the broker.

    An event may bring its own: the header ``x-deadline-ns`` (ns since 1970, in decimal digits), or a decoded
    field. The header counts more, and is passed on with the decision.

    Attributes:
        budget: how long it may take.
        from_: what the budget is counted from; ``from`` in the file. Where an event has no time, or one
            later than its arrival, the budget counts from the arrival.
        field: a decoded integer field with the event's own deadline; 0 where it has none.
        unit: the unit of that field since 1970.
        latest: how long after the arrival an event's own deadline may lie at most; None takes the budget.
        skew: what is done about producers' clocks that are off.
        max_future: an event time further ahead of its arrival than this, by the clock put right, is
            wrong: the arrival stands in for it, and ``streamproc_wrong_event_times_total`` counts it.
    """

    budget: Duration = Duration.parse("1s")  # noqa: RUF009 - immutable
    from_: Literal["event_time", "arrival"] = "event_time"
    field: str | None = None
    unit: Literal["s", "ms", "us", "ns"] = "ns"
    latest: Duration | None = None
    skew: Skew = Skew()
    max_future: Duration = Duration.parse("1s")  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        if self.budget <= 0:
            msg = "budget must be longer than 0, such as 50ms"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Output:
    """How a model's output becomes the decision's ``output``.

    With labels, the largest of the scores [n, len(labels)] names the label. Without, the output is given
    as it is.

    Attributes:
        labels: the classes, in the order of the scores.
        scores: True adds the scores, rounded to six decimals.
        tensor: the model output that is meant; None takes the first.
    """

    labels: tuple[str, ...] = ()
    scores: bool = False
    tensor: str | None = None


@dataclass(frozen=True, slots=True)
class PythonFunction:
    """The user's own function.

    Attributes:
        python: where it is, as ``package.module:name``.
        options: keyword arguments that it is called with.
    """

    python: str
    options: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Where the events go that are not decided.

    Attributes:
        dead_letter_topic: for dead letters; None counts and drops them, ``""`` stands for ``NAME.dlq``.
        shed_topic: for shed events; None counts and drops them.
        ledger_topic: for the ledger: a small record for each partition and commit, which says what became of which
            offsets; None writes none.
    """

    dead_letter_topic: str | None = ""
    shed_topic: str | None = None
    ledger_topic: str | None = None

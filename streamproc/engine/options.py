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


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a decision must be with the broker.

    Attributes:
        budget: how long it may take.
        from_: what the budget is counted from; ``from`` in the file.
    """

    budget: Duration = Duration.parse("1s")  # noqa: RUF009 - immutable
    from_: Literal["event_time", "arrival"] = "event_time"

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
    """

    dead_letter_topic: str | None = ""
    shed_topic: str | None = None

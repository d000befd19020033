"""The shed policies that a user can name, and what can be set of each."""

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Literal, TypeAlias

from streamproc.core import Duration


@dataclass(frozen=True, slots=True)
class Expired:
    """Gives up what no answer can reach in time any more."""


@dataclass(frozen=True, slots=True)
class Planner:
    """Lets the planner give events up that stand in the way of more others."""


@dataclass(frozen=True, slots=True)
class TailDrop:
    """Gives up the newest events where too many wait.

    Attributes:
        max_queue: how many may wait.
    """

    max_queue: int = 10_000

    def __post_init__(self) -> None:
        if self.max_queue < 1:
            msg = f"max_queue must be at least 1, was {self.max_queue}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Conflate:
    """Gives up a waiting event when a newer one of its key has come."""


@dataclass(frozen=True, slots=True)
class Priority:
    """Where more wait than can be in time, gives up the lowest lanes' first."""


@dataclass(frozen=True, slots=True)
class Utility:
    """Where more wait than can be in time, gives up those first that are worth least for what they cost.

    Attributes:
        value: what a decision in time is worth: a decoded field, or an expression over them.
    """

    value: str


@dataclass(frozen=True, slots=True)
class CoDel:
    """Controlled delay (Nichols and Jacobson 2012, RFC 8289): gives up the oldest events, ever more often, while all wait too long.

    Attributes:
        target: how long events may wait.
        interval: for how long all must have waited longer before the first is given up.
    """

    target: Duration = Duration.parse("5ms")  # noqa: RUF009 - immutable
    interval: Duration = Duration.parse("100ms")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class SkipAhead:
    """After an outage, goes past what is already too old without fetching it.

    Attributes:
        min_records: a shorter backlog is fetched and given up one by one.
    """

    min_records: int = 1_000


ShedPolicy: TypeAlias = (
    Expired | Planner | TailDrop | Conflate | Priority | Utility | CoDel | SkipAhead
)
SHED_POLICIES: dict[str, type[ShedPolicy]] = {
    "expired": Expired,
    "planner": Planner,
    "tail_drop": TailDrop,
    "conflate": Conflate,
    "priority": Priority,
    "utility": Utility,
    "codel": CoDel,
    "skip_ahead": SkipAhead,
}
"""By the names in the file."""
ShedName: TypeAlias = Literal[
    "expired", "planner", "tail_drop", "conflate", "priority", "utility", "codel", "skip_ahead"
]
"""A policy's name alone, for all its defaults."""


def shed_policies(shed: Sequence[ShedPolicy | ShedName]) -> tuple[ShedPolicy, ...]:
    """The policies, made of those that are only named.

    Raises:
        ValueError: there is no policy of a name, or it has no default for what it needs.
    """
    return tuple(_named(policy) if isinstance(policy, str) else policy for policy in shed)


def _named(name: str) -> ShedPolicy:
    kind = SHED_POLICIES.get(name)
    if kind is None:
        msg = f"{name!r} is no shed policy: there are {', '.join(SHED_POLICIES)}"
        raise ValueError(msg)
    needed = [field.name for field in fields(kind) if field.default is MISSING]
    if needed:
        msg = f"{name} needs {', '.join(needed)}: write {kind.__name__}({needed[0]}=...)"
        raise ValueError(msg)
    made: ShedPolicy = kind()  # type: ignore[call-arg]  # none of its fields needs a value
    return made

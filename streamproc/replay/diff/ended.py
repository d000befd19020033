"""What a capture tells of how its events ended: what two captures are compared by."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from streamproc.replay.coordinates import Coordinates


class EndedEvent(NamedTuple):
    """One event at its end.

    Attributes:
        coordinates: which.
        outcome: the word, such as ``on_time``.
        reason: why it was shed or dead-lettered; empty for others.
        latency_ns: from when it happened to the acknowledgement; None where that is not told.
        value: its decision; None where there is none.
    """

    coordinates: Coordinates
    outcome: str
    reason: str
    latency_ns: int | None
    value: bytes | None


class OutcomeRow(NamedTuple):
    """What the books say of an event."""

    coordinates: Coordinates
    outcome: str
    reason: str
    latency_ns: int | None


class DecisionRow(NamedTuple):
    """What was sent about an event: a decision, or without a value a letter."""

    coordinates: Coordinates
    outcome: str
    value: bytes | None
    reason: str = ""


class Told(Protocol):
    """One side of a comparison, read once from its beginning to its end."""

    def outcomes(self) -> Iterable[OutcomeRow]:
        """How each event ended, in any order; one that was read again comes again."""
        ...

    def decisions(self) -> Iterable[DecisionRow]:
        """What was sent, in any order."""
        ...


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison.

    Attributes:
        name: of the file.
        told: what it tells.
        facts: what made it, by name, such as the version and the models' digests.
        gaps: what it says is missing, one text each.
    """

    name: str
    told: Told
    facts: Mapping[str, str] = field(default_factory=dict)
    gaps: Sequence[str] = ()

"""What somebody sees who only reads the decisions: the promises, held against the topic itself."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import msgspec

_ON_TIME = ("on_time", "degraded")


class _Decision(msgspec.Struct):
    id: str
    outcome: str
    deadline_ns: int
    decided_ns: int


@dataclass(slots=True)
class Seen:
    """What was found in a topic of decisions.

    Attributes:
        records: records read.
        distinct: different ids among them.
        undecodable: records that are no decision.
        unread: records that the broker had dropped before they could be read.
        outcomes: first records of an id, by the outcome they say.
        decided_after_deadline: of those that say on_time or degraded, decided after their deadline.
        stamped: of those, how many the broker stamped with its own time of appending.
        appended_after_deadline: of these, appended after their deadline.
    """

    records: int = 0
    distinct: int = 0
    undecodable: int = 0
    unread: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    decided_after_deadline: int = 0
    stamped: int = 0
    appended_after_deadline: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """From JSON."""
        return cls(**values)


class Audit:
    """Reads decisions and counts; keeps one byte an id."""

    def __init__(self) -> None:
        self.seen = Seen()
        self._known: dict[str, bytearray] = {}
        self._decode = msgspec.json.Decoder(_Decision).decode

    def add(self, values: Sequence[bytes | None], appended_ns: Sequence[int | None]) -> None:
        """Take records of the topic.

        Args:
            values: their values.
            appended_ns: when the broker appended each, by its own clock; None where it does not say.
        """
        seen = self.seen
        seen.records += len(values)
        for value, at_ns in zip(values, appended_ns, strict=True):
            try:
                decision = self._decode(value or b"")
                is_new = self._is_new(decision.id)
            except (msgspec.DecodeError, ValueError):
                seen.undecodable += 1
                continue
            if is_new:
                self._count(decision, at_ns)

    def _count(self, decision: _Decision, appended_ns: int | None) -> None:
        seen = self.seen
        seen.distinct += 1
        seen.outcomes[decision.outcome] = seen.outcomes.get(decision.outcome, 0) + 1
        if decision.outcome in _ON_TIME:
            seen.decided_after_deadline += decision.decided_ns > decision.deadline_ns
            if appended_ns is not None:
                seen.stamped += 1
                seen.appended_after_deadline += appended_ns > decision.deadline_ns

    def _is_new(self, identity: str) -> bool:
        """True the first time.

        Raises:
            ValueError: it is no ``topic/partition/offset``.
        """
        source, _, digits = identity.rpartition("/")
        offset = int(digits)
        known = self._known.setdefault(source, bytearray())
        if offset >= len(known):
            known.extend(bytes(max(offset + 1 - len(known), len(known))))
        if known[offset]:
            return False
        known[offset] = 1
        return True

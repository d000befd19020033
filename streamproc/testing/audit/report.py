"""What an audit found."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from streamproc.core import TopicPartition
from streamproc.testing.outcomes import OutcomeReport

Delivery = Literal["at_least_once", "exactly_once"]
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What became of the inputs, held against the promises.

    Attributes:
        delivery: which promise.
        outcomes: what is missing, unknown, there several times, or was repeated with another content.
        unaccounted: inputs without an outcome that lie before the committed offset.
        unstored: inputs with or behind the committed offset; empty where no group was asked.
        out_of_order: pairs of decisions of one key that stand the wrong way round: what came first, and the event
            before it. An event with several outcomes proves nothing about the order.
        good_after_deadline: decisions that say ``on_time`` or ``degraded`` and were made after their deadline.
        unreadable: outputs that are no decision, or no letter, and why.
        committed: where the group will read on.
        ledger: what is wrong in the ledger; empty where there is none.
        read: how many records each topic had.
    """

    delivery: Delivery
    outcomes: OutcomeReport
    unaccounted: tuple[str, ...] = ()
    unstored: tuple[str, ...] = ()
    out_of_order: tuple[tuple[str, str], ...] = ()
    good_after_deadline: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    committed: Mapping[TopicPartition, int] = field(default_factory=dict)
    ledger: tuple[str, ...] = ()
    read: Mapping[str, int] = field(default_factory=dict)

    @property
    def duplicates(self) -> int:
        """Outcomes beyond the first of an event."""
        return sum(count - 1 for count in self.outcomes.several.values())

    def require_sound(self) -> None:
        """What must hold at every moment, also in the middle of the work.

        Raises:
            AssertionError: with everything that does not.
        """
        _refuse(list(self._unsound()))

    def require_complete(self) -> None:
        """What must hold when the work is done: besides, every input has its outcome, and is committed.

        Raises:
            AssertionError: with everything that does not.
        """
        _refuse(self.problems())

    def problems(self, *, complete: bool = True) -> list[str]:
        """What does not hold, in words; empty where all is well.

        Args:
            complete: False to leave out what may still come.
        """
        found = list(self._unsound())
        if complete:
            waiting = set(self.unaccounted)
            missing = [event for event in self.outcomes.missing if event not in waiting]
            found += _told(missing, "inputs have no outcome")
            found += _told(self.unstored, "inputs are not covered by the committed offsets")
        return found

    def as_dict(self) -> dict[str, Any]:
        """For JSON: counts, and the problems in words."""
        return {
            "delivery": self.delivery,
            "inputs": self.outcomes.inputs,
            "outcomes": dict(self.outcomes.outcomes),
            "missing": len(self.outcomes.missing),
            "duplicates": self.duplicates,
            "committed": {f"{t}/{p}": at for (t, p), at in sorted(self.committed.items())},
            "read": dict(self.read),
            "problems": self.problems(),
        }

    def _unsound(self) -> Iterator[str]:
        outcomes = self.outcomes
        yield from _told(self.unaccounted, "inputs before the committed offset have no outcome")
        yield from _told(outcomes.unknown, "outcomes are of no input")
        if self.delivery == "exactly_once":
            yield from _told(list(outcomes.several), "inputs have several outcomes")
        yield from _told(outcomes.differing, "inputs had repeats that say something else")
        pairs = [f"{later} before {earlier}" for later, earlier in self.out_of_order]
        yield from _told(pairs, "decisions of one key are out of order")
        yield from _told(self.good_after_deadline, "decisions say on_time after their deadline")
        yield from _told(self.unreadable, "outputs cannot be read")
        yield from _told(self.ledger, "lines of the ledger do not fit")


def _told(wrong: Collection[str], what: str) -> list[str]:
    if not wrong:
        return []
    more = ", ..." if len(wrong) > _SHOWN else ""
    return [f"{len(wrong)} {what}: {', '.join(list(wrong)[:_SHOWN])}{more}"]


def _refuse(problems: list[str]) -> None:
    if problems:
        raise AssertionError("; ".join(problems))

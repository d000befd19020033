"""A replay's outcomes beside the recorded ones, event by event, with memory that does not grow."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from streamproc.connectors.capture import OutcomeColumns
from streamproc.core import Int64Array, Outcome, TopicPartition
from streamproc.runtime import Assembly

_Event = tuple[TopicPartition, int, int]
_End = tuple[int, int]
"""The outcome's code, and when it was final."""


@dataclass(slots=True)
class Reproduced:
    """How a replay's outcomes compare with the recorded ones.

    Attributes:
        same: events with the same outcome at the same instant.
        changed: events with another outcome, or at another instant.
        missing: recorded and not replayed.
        extra: replayed and not recorded.
    """

    same: int = 0
    changed: int = 0
    missing: int = 0
    extra: int = 0

    @property
    def exact(self) -> bool:
        """Whether every outcome is the live one."""
        return not (self.changed or self.missing or self.extra)

    def as_dict(self) -> dict[str, int]:
        """For JSON."""
        return {
            "same": self.same, "changed": self.changed, "missing": self.missing, "extra": self.extra,
        }  # fmt: skip


class Comparison:
    """Compares while the replay goes on: both sides come in the order in which outcomes were final.

    Args:
        recorded: the recording's outcomes.
    """

    def __init__(self, recorded: Iterable[OutcomeColumns]) -> None:
        self._recorded = _events(recorded)
        self._theirs: dict[_Event, _End] = {}
        self._ours: dict[_Event, _End] = {}
        self._result = Reproduced()

    def attach(self, assembly: Assembly, now_ns: Callable[[], int]) -> None:  # noqa: ARG002 - see ``Attach``
        """Watch a replay; see ``Attach``."""
        assembly.settlement.witness = self._witness

    def finish(self, until_ns: int | None = None) -> Reproduced:
        """What was found, when the replay is over.

        Args:
            until_ns: leave out what became final later; None for all.
        """
        for event, end in self._recorded:
            self._take(event, end, self._theirs, self._ours)
        later = sum(1 for _, at_ns in self._theirs.values() if until_ns and at_ns > until_ns)
        self._result.missing += len(self._theirs) - later
        self._result.extra += len(self._ours)
        return self._result

    def _witness(
        self,
        source: TopicPartition,
        offset: Int64Array,
        row: Int64Array | None,
        outcome: Outcome,
        reason: str,  # noqa: ARG002 - follows from the outcome's cause, which is not compared
        final_ns: int,
    ) -> None:
        rows = [-1] * len(offset) if row is None else row.tolist()
        for place in zip(offset.tolist(), rows, strict=True):
            self._take((source, *place), (outcome, final_ns), self._ours, self._theirs)
            told = next(self._recorded, None)
            if told is not None:
                self._take(*told, self._theirs, self._ours)

    def _take(
        self, event: _Event, end: _End, own: dict[_Event, _End], other: dict[_Event, _End]
    ) -> None:
        """One side's outcome of an event: compared if the other's is there, else kept."""
        there = other.pop(event, None)
        if there is None:
            own[event] = end
        elif there == end:
            self._result.same += 1
        else:
            self._result.changed += 1


def _events(recorded: Iterable[OutcomeColumns]) -> Iterator[tuple[_Event, _End]]:
    for columns in recorded:
        count = len(columns)
        rows = [-1] * count if columns.row is None else columns.row.tolist()
        for offset, row, code in zip(
            columns.offset.tolist(), rows, columns.outcome.tolist(), strict=True
        ):
            yield (columns.source, offset, row), (code, columns.acknowledged_ns)

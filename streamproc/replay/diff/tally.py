"""Two sides counted as they are joined; nothing grows with the number of events."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeVar

from streamproc.replay.diff.contents import Compared, FieldChange, compare
from streamproc.replay.diff.ended import EndedEvent, Side
from streamproc.replay.diff.tolerances import Tolerances
from streamproc.telemetry import LatencyCounts, LatencyHistogram


class Kind(StrEnum):
    """In which way an event differs."""

    MISSING = "missing"
    """The candidate knows nothing of it."""
    EXTRA = "extra"
    """The baseline knows nothing of it."""
    OUTCOME = "outcome"
    """It ended otherwise."""
    CHANGED = "changed"
    """Decided by both, with another content."""


class Change(NamedTuple):
    """One event that differs.

    Attributes:
        kind: in which way.
        id: its coordinates, as a decision has them.
        outcomes: the baseline's and the candidate's word; empty where it has none.
        reasons: why it was shed or dead-lettered, likewise.
        has_flipped: True where its label is another one.
        fields: what its decisions say differently, beyond the tolerance.
    """

    kind: Kind
    id: str
    outcomes: tuple[str, str]
    reasons: tuple[str, str] = ("", "")
    has_flipped: bool = False
    fields: Sequence[FieldChange] = ()


@dataclass(slots=True)
class FieldTally:
    """What a field's changes come to.

    Attributes:
        changed: decisions in which it differs beyond its tolerance.
        within: decisions in which it differs, but not beyond.
        difference_max: the largest difference of numbers in it.
    """

    changed: int = 0
    within: int = 0
    difference_max: float = 0.0

    def add(self, changes: Sequence[FieldChange]) -> None:
        """Count one decision, by the changes of this field in it."""
        is_beyond = any(one.is_beyond for one in changes)
        self.changed += is_beyond
        self.within += not is_beyond
        self.difference_max = max(
            [self.difference_max, *(one.difference or 0.0 for one in changes)]
        )


class SideTally:
    """How the events of one side ended.

    Args:
        side: whose.

    Attributes:
        side: whose.
        outcomes: events by the word of their outcome.
        reasons: shed and dead-lettered ones by their reason.
        repeats: how often an event ended again.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.outcomes: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.repeats = 0
        self._histogram = LatencyHistogram()

    def add(self, event: EndedEvent) -> None:
        """Count an event."""
        self.outcomes[event.outcome] += 1
        if event.reason:
            self.reasons[event.reason] += 1
        if event.latency_ns is not None and event.value is not None:
            self._histogram.add_constant(event.latency_ns, 1)

    @property
    def events(self) -> int:
        """How many there are."""
        return self.outcomes.total()

    @property
    def latency(self) -> LatencyCounts:
        """How long its decisions took, from the event to the acknowledgement."""
        return self._histogram.counts()


@dataclass(slots=True, kw_only=True)
class Difference:
    """What two sides differ in.

    Attributes:
        baseline: how the events of the first side ended.
        candidate: how those of the second did.
        joined: events that both know.
        missing: events that only the baseline knows.
        extra: events that only the candidate knows.
        moved: joined events by the outcomes that they have, baseline's first; unchanged ones too.
        compared: events decided by both.
        changed: of them, those whose content differs beyond the tolerance.
        labelled: of them, those that have a label on both sides.
        flips: of them, those whose label is another one.
        fields: what differs, by the field's path.
        flipped: flips by what the label was and is; at most a few hundred of them.
    """

    baseline: SideTally
    candidate: SideTally
    joined: int = 0
    missing: int = 0
    extra: int = 0
    moved: Counter[tuple[str, str]] = field(default_factory=Counter)
    compared: int = 0
    changed: int = 0
    labelled: int = 0
    flips: int = 0
    fields: dict[str, FieldTally] = field(default_factory=dict)
    flipped: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def outcome_changed(self) -> int:
        """Joined events that ended otherwise."""
        return sum(number for (old, new), number in self.moved.items() if old != new)


_FLIPS_KEPT = 400
_FIELDS_KEPT = 1_000
"""A field whose names are made of data, such as a map of ids, must not fill the memory."""
OTHER_FIELDS = "(further fields)"
_Key = TypeVar("_Key")


class Tally:
    """Joins two sides, event by event.

    Args:
        baseline: the first side.
        candidate: the second.
        tolerances: by how much numbers may differ.
        label: where in the output the label is.

    Attributes:
        found: what they differ in so far.
    """

    def __init__(
        self, baseline: Side, candidate: Side, *, tolerances: Tolerances, label: str
    ) -> None:
        self.found = Difference(baseline=SideTally(baseline), candidate=SideTally(candidate))
        self._tolerances = tolerances
        self._label = label

    def add(self, old: EndedEvent | None, new: EndedEvent | None) -> Iterator[Change]:
        """Count an event by what each side tells of it; gives in which ways it differs."""
        found = self.found
        if old is not None:
            found.baseline.add(old)
        if new is not None:
            found.candidate.add(new)
        if old is None or new is None:
            yield from self._alone(old, new)
            return
        found.joined += 1
        words, reasons = (old.outcome, new.outcome), (old.reason, new.reason)
        found.moved[words] += 1
        if old.outcome != new.outcome:
            yield Change(Kind.OUTCOME, str(old.coordinates), words, reasons)
        if old.value is None or new.value is None:
            return
        compared = compare(old.value, new.value, self._tolerances, label=self._label)
        self._count(compared)
        if compared.has_changed:
            beyond = [one for one in compared.fields if one.is_beyond]
            yield Change(
                Kind.CHANGED, str(old.coordinates), words, reasons, compared.has_flipped, beyond
            )

    def _alone(self, old: EndedEvent | None, new: EndedEvent | None) -> Iterator[Change]:
        if old is not None:
            self.found.missing += 1
            yield Change(Kind.MISSING, str(old.coordinates), (old.outcome, ""), (old.reason, ""))
        elif new is not None:
            self.found.extra += 1
            yield Change(Kind.EXTRA, str(new.coordinates), ("", new.outcome), ("", new.reason))

    def _count(self, compared: Compared) -> None:
        found = self.found
        found.compared += 1
        found.changed += compared.has_changed
        if compared.labels is not None:
            found.labelled += 1
            found.flips += compared.has_flipped
            if compared.has_flipped:
                old, new = map(str, compared.labels)
                found.flipped[
                    _bounded(found.flipped, (old, new), ("other", "other"), _FLIPS_KEPT)
                ] += 1
        by_path: dict[str, list[FieldChange]] = {}
        for one in compared.fields:
            by_path.setdefault(one.path, []).append(one)
        for path, changes in by_path.items():
            known = _bounded(found.fields, path, OTHER_FIELDS, _FIELDS_KEPT)
            found.fields.setdefault(known, FieldTally()).add(changes)


def _bounded(known: Mapping[_Key, object], key: _Key, other: _Key, most: int) -> _Key:
    """The key, or where there are too many of them and it is new, the one for all others."""
    return key if key in known or len(known) < most else other

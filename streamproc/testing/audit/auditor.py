"""Inputs, outputs and committed offsets against the promises; whatever they were read with."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal

from streamproc.core import TopicPartition
from streamproc.engine import ROWS_HEADER
from streamproc.testing.audit.report import AuditReport, Delivery
from streamproc.testing.broker import StoredRecord
from streamproc.testing.outcomes import OutcomeChecker
from streamproc.testing.result import Decision, Letter

_GOOD = ("on_time", "degraded")
_NOTHING: Mapping[TopicPartition, int] = MappingProxyType({})


class Auditor:
    """Takes records, in any order of the topics, each partition in its own order; then ``report`` compares.

    Args:
        delivery: what was promised.
        order: whose order is to be kept; None for nobody's.
        start: by partition, the offset from which on inputs count, and outcomes of them; all of them by default.
        events_of: how many events an input record holds; by default one, or as many as its rows that were seen.
    """

    def __init__(
        self,
        delivery: Delivery = "at_least_once",
        *,
        order: Literal["key", "partition"] | None = "key",
        start: Mapping[TopicPartition, int] = _NOTHING,
        events_of: Callable[[StoredRecord], int] | None = None,
    ) -> None:
        self._delivery = delivery
        self._order = order
        self._start = start
        self._events_of = events_of
        self._checker = OutcomeChecker()
        self._inputs: dict[TopicPartition, dict[int, int]] = {}
        """By partition: offset to the number of its events, 0 where nobody has counted them."""
        self._rows: dict[tuple[TopicPartition, int], int] = {}
        """The number of rows that outcomes speak of."""
        self._last: dict[object, Decision] = {}
        self._swapped: list[tuple[str, str]] = []
        self._late: list[str] = []
        self._unreadable: list[str] = []
        self._read: Counter[str] = Counter()

    def add_input(self, record: StoredRecord) -> None:
        """A record that the pipeline was given to read."""
        self._read[record.topic] += 1
        source = TopicPartition(record.topic, record.partition)
        if record.offset >= self._start.get(source, 0):
            count = self._events_of(record) if self._events_of is not None else 0
            self._inputs.setdefault(source, {})[record.offset] = count

    def add_decision(self, record: StoredRecord) -> None:
        """A record of the topic of decisions."""
        self._read[record.topic] += 1
        try:
            decisions = Decision.all_of(record)
        except ValueError as error:
            self._unreadable.append(f"{record.id} ({error})")
            return
        for decision in decisions:
            if decision.offset < self._start.get(decision.source, 0):
                continue
            _, _, offset, *row = decision.id.split("/")
            if row:
                self._note_row(decision.source, int(offset), int(row[0]))
            if self._order is not None and not self._checker.has(decision.id):
                self._look_at_order(decision)
            if decision.outcome in _GOOD and decision.decided_ns > decision.deadline_ns:
                self._late.append(decision.id)
            model = f"{decision.model['variant']} {decision.model['digest']}"
            content = (decision.event_time_ns, decision.key, decision.output)
            self._checker.add(decision.id, decision.outcome, content, made_by=model)

    def add_letter(self, record: StoredRecord) -> None:
        """A record of the topic of dead letters or of shed events."""
        self._read[record.topic] += 1
        try:
            letter = Letter.of(record)
        except ValueError as error:
            self._unreadable.append(f"{record.id} ({error})")
            return
        if _offset(letter.id) < self._start.get(_of(letter.id), 0):
            return
        # A shed event may be shed for another reason when it is read again; what it was stays what it was.
        reason = letter.reason if letter.outcome == "dead_letter" else ""
        for event in self._events_in(letter):
            self._checker.add(event, letter.outcome, (reason, record.key, record.value))

    def report(self, committed: Mapping[TopicPartition, int] | None = None) -> AuditReport:
        """Compare.

        Args:
            committed: where the group will read on, as it was before the outputs were read; None where it is
                not known.
        """
        self._checker.add_inputs(self._events())
        outcomes = self._checker.report()
        several = outcomes.several
        before = [
            e for e in outcomes.missing if committed and _offset(e) < committed.get(_of(e), 0)
        ]
        return AuditReport(
            delivery=self._delivery,
            outcomes=outcomes,
            unaccounted=tuple(before),
            unstored=tuple(self._unstored(committed)),
            out_of_order=tuple(
                pair for pair in self._swapped if not any(event in several for event in pair)
            ),
            good_after_deadline=tuple(self._late),
            unreadable=tuple(self._unreadable),
            committed=dict(committed or {}),
            read=dict(self._read),
        )

    def _look_at_order(self, decision: Decision) -> None:
        if self._order == "key" and decision.key is None:
            return
        key = decision.key if self._order == "key" else None
        whose = (decision.record.partition, decision.source, key)
        before = self._last.get(whose)
        if before is not None and before.offset > decision.offset:
            self._swapped.append((before.id, decision.id))
        else:
            self._last[whose] = decision

    def _events_in(self, letter: Letter) -> Iterator[str]:
        """The events that a letter is about: its record, or the rows of it that it names."""
        rows = letter.record.header(ROWS_HEADER)
        if rows is None:
            yield letter.id
            return
        topic, partition, offset = letter.id.split("/")
        for part in rows.decode().split(","):
            first, _, last = part.partition("-")
            for row in range(int(first), int(last or first) + 1):
                self._note_row(TopicPartition(topic, int(partition)), int(offset), row)
                yield f"{letter.id}/{row}"

    def _note_row(self, source: TopicPartition, offset: int, row: int) -> None:
        place = (source, offset)
        self._rows[place] = max(self._rows.get(place, 0), row + 1)

    def _events(self) -> Iterator[str]:
        """The ids of all events that went in."""
        for source, offsets in self._inputs.items():
            prefix = f"{source.topic}/{source.partition}"
            for offset, count in offsets.items():
                rows = self._rows.get((source, offset), 0)
                if not rows:
                    yield f"{prefix}/{offset}"
                else:
                    yield from (f"{prefix}/{offset}/{row}" for row in range(max(count, rows)))

    def _unstored(self, committed: Mapping[TopicPartition, int] | None) -> Iterator[str]:
        if committed is None:
            return
        for source, offsets in self._inputs.items():
            position = committed.get(source, 0)
            for offset in offsets:
                if offset >= position:
                    yield f"{source.topic}/{source.partition}/{offset}"


def _of(event: str) -> TopicPartition:
    topic, partition, *_ = event.split("/")
    return TopicPartition(topic, int(partition))


def _offset(event: str) -> int:
    return int(event.split("/")[2])

"""What came out of a pipeline test, read back into objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from streamproc.codecs import (
    DecisionRecord,
    decode_decision,
    decode_framed_decision,
    is_framed,
)
from streamproc.core import TopicPartition
from streamproc.engine import DETAIL_HEADER, OUTCOME_HEADER, REASON_HEADER, SOURCE_HEADER
from streamproc.telemetry import Accounts, Summary
from streamproc.testing.broker import StoredRecord

_ARROW_STREAM = b"\xff\xff\xff\xff"
"""What an IPC stream begins with."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision, read back; see ``codecs.DecisionRecord`` for the fields of its value.

    Attributes:
        id: ``topic/partition/offset`` of the record it answers, ``/row`` behind it where that holds several.
        outcome: ``on_time``, ``degraded`` or ``late``, as published.
        key: the event's key as text.
        output: what was decided.
        event_time_ns: when the event happened.
        deadline_ns: when the decision had to be with the broker.
        decided_ns: when it was made.
        model: the variant and digest of the model.
        record: the record that it came in.
    """

    id: str
    outcome: str
    key: str | None
    output: Any
    event_time_ns: int
    deadline_ns: int
    decided_ns: int
    model: Mapping[str, str]
    record: StoredRecord

    @property
    def source(self) -> TopicPartition:
        """The partition of the record it answers."""
        topic, partition, *_ = self.id.split("/")  # a topic's name has no slash
        return TopicPartition(topic, int(partition))

    @property
    def offset(self) -> int:
        """The offset of the record it answers."""
        return int(self.id.split("/")[2])

    @classmethod
    def all_of(cls, record: StoredRecord) -> list[Self]:
        """Read a record's decisions: one, or several where they are rows of Arrow.

        Raises:
            ValueError: the record holds none.
        """
        value = record.value or b""
        if is_framed(value):
            return [cls._of(decode_framed_decision(value), record)]
        if not value.startswith(_ARROW_STREAM):
            return [cls._of(decode_decision(value), record)]
        from streamproc.codecs.arrow_decision import decode_arrow_decisions  # noqa: PLC0415 - an extra

        return [cls._of(read, record) for read in decode_arrow_decisions(value)]

    @classmethod
    def _of(cls, read: DecisionRecord, record: StoredRecord) -> Self:
        model = {"variant": read.model.variant, "digest": read.model.digest}
        times = (read.event_time_ns, read.deadline_ns, read.decided_ns)
        return cls(read.id, read.outcome, read.key, read.output, *times, model, record)


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter or a shed event, read back.

    Attributes:
        id: ``topic/partition/offset`` of the record that came in.
        outcome: ``dead_letter`` or ``shed``.
        reason: why, a word of ``core.Reason``.
        detail: what was wrong, for people.
        record: the letter itself: the original key, value and headers, and ours.
    """

    id: str
    outcome: str
    reason: str
    detail: str
    record: StoredRecord

    @classmethod
    def of(cls, record: StoredRecord) -> Self:
        """Read a letter.

        Raises:
            ValueError: the record is none.
        """
        texts = {
            name: value.decode()
            for name, value in record.headers
            if value is not None and name.startswith("streamproc-")
        }
        if SOURCE_HEADER not in texts or OUTCOME_HEADER not in texts:
            msg = f"{record.id} is no letter: it lacks {SOURCE_HEADER} or {OUTCOME_HEADER}"
            raise ValueError(msg)
        return cls(
            texts[SOURCE_HEADER],
            texts[OUTCOME_HEADER],
            texts.get(REASON_HEADER, ""),
            texts.get(DETAIL_HEADER, ""),
            record,
        )


@dataclass(frozen=True, slots=True)
class FinalOutcome:
    """What became of an event.

    Attributes:
        outcome: the word, such as ``on_time``; ``handed_back`` where it was given up.
        reason: why; empty where there is no reason to give.
        final_ns: when that was final: at the broker's acknowledgement.
    """

    outcome: str
    reason: str
    final_ns: int


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came out of ``PipelineTest.run``; all since the test was made.

    Attributes:
        decisions: in the order of their topic, partition by partition.
        dead_letters: the same.
        shed: shed events that were sent, where the pipeline has a ``shed_topic``.
        final: for each event's id all its outcomes: one, or several where it was read again.
        acknowledged_ns: when each decision was acknowledged, by its id; the last time where it was repeated.
        committed: what the pipeline's group has committed.
        accounts: the books.
        summary: the same as ``run --json`` prints them, on the virtual clock.
        in_flight: events that have no outcome yet.
    """

    __test__: ClassVar[bool] = False

    decisions: Sequence[Decision]
    dead_letters: Sequence[Letter]
    shed: Sequence[Letter]
    final: Mapping[str, Sequence[FinalOutcome]]
    acknowledged_ns: Mapping[str, int]
    committed: Mapping[TopicPartition, int]
    accounts: Accounts
    summary: Summary
    in_flight: int

    def outcome_of(self, event_id: str) -> str:
        """The outcome of an event, such as ``on_time`` or ``handed_back``.

        Args:
            event_id: ``topic/partition/offset``.

        Raises:
            KeyError: it has none; the text says which events have.
        """
        return self._last(event_id).outcome

    def reason_of(self, event_id: str) -> str:
        """Why an event was shed or dead-lettered; empty for others.

        Raises:
            KeyError: it has no outcome.
        """
        return self._last(event_id).reason

    def _last(self, event_id: str) -> FinalOutcome:
        if event_id not in self.final:
            known = ", ".join(list(self.final)[:10]) or "none"
            msg = f"{event_id} has no outcome; events that have one: {known}"
            raise KeyError(msg)
        return self.final[event_id][-1]

"""The auditor finds what breaks a promise, and nothing where all is well."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from streamproc.core import TopicPartition
from streamproc.testing import Auditor, StoredRecord

if TYPE_CHECKING:
    from streamproc.testing.audit import Delivery

SOURCE = TopicPartition("events", 0)


def stored(
    topic: str, offset: int, value: bytes | None = b"", *, key: bytes | None = None, **headers: str
) -> StoredRecord:
    named = tuple((f"streamproc-{name}", text.encode()) for name, text in headers.items())
    return StoredRecord(topic, 0, offset, 0, key, value, named)


def decision(event: int | str, at: int, **changes: Any) -> StoredRecord:
    fields = {
        "id": f"events/0/{event}",
        "schema_version": 1,
        "pipeline": "p",
        "outcome": "on_time",
        "model": {"variant": "full", "digest": "d"},
        "key": "k",
        "event_time_ns": 1,
        "deadline_ns": 100,
        "decided_ns": 50,
        "output": {"label": "a"},
    }
    return stored("decisions", at, json.dumps(fields | changes).encode())


def letter(event: int, at: int, outcome: str = "shed", **headers: str) -> StoredRecord:
    headers = {"reason": "expired", "source": f"events/0/{event}", "outcome": outcome} | headers
    return stored("letters", at, b"value", **headers)


def audited(
    *outputs: StoredRecord,
    inputs: int = 3,
    committed: int | None = None,
    delivery: Delivery = "at_least_once",
    **options: Any,
) -> list[str]:
    """The problems that an audit of these outputs finds."""
    auditor = Auditor(delivery, **options)
    for record in outputs:
        take = auditor.add_letter if record.topic == "letters" else auditor.add_decision
        take(record)
    for offset in range(inputs):
        auditor.add_input(stored("events", offset))
    report = auditor.report(None if committed is None else {SOURCE: committed})
    return report.problems()


ALL = (decision(0, 0), letter(1, 0), decision(2, 1))


def test_nothing_where_each_has_its_outcome() -> None:
    assert audited(*ALL, committed=3, delivery="exactly_once") == []


def test_missing_inputs() -> None:
    assert audited(decision(0, 0), letter(1, 0)) == ["1 inputs have no outcome: events/0/2"]


def test_a_committed_offset_past_an_unaccounted_record_is_told_apart() -> None:
    assert audited(decision(0, 0), letter(1, 0), committed=3) == [
        "1 inputs before the committed offset have no outcome: events/0/2"
    ]


def test_what_is_not_committed_is_sound_and_incomplete() -> None:
    auditor = Auditor()
    auditor.add_decision(decision(0, 0))
    for offset in (0, 1):
        auditor.add_input(stored("events", offset))
    report = auditor.report({SOURCE: 1})
    report.require_sound()
    with pytest.raises(AssertionError, match=r"no outcome: events/0/1.*not covered.*events/0/1"):
        report.require_complete()


def test_repeats_are_for_at_least_once_only() -> None:
    again = (*ALL, decision(2, 2, decided_ns=200, outcome="late"))
    assert audited(*again) == []
    assert audited(*again, delivery="exactly_once") == [
        "1 inputs have several outcomes: events/0/2"
    ]


def test_a_repeat_must_say_the_same() -> None:
    other = {"output": {"label": "b"}}
    assert audited(*ALL, decision(2, 2, **other)) == [
        "1 inputs had repeats that say something else: events/0/2"
    ]
    cheaper = {"model": {"variant": "small", "digest": "e"}, "outcome": "degraded"}
    assert audited(*ALL, decision(2, 2, **other, **cheaper)) == []


def test_a_repeat_may_be_shed_for_another_reason_or_decided() -> None:
    assert audited(*ALL, letter(1, 1, reason="planner"), decision(1, 2)) == []


def test_outcomes_of_no_input() -> None:
    assert audited(*ALL, decision(7, 2)) == ["1 outcomes are of no input: events/0/7"]


def test_order_of_a_key() -> None:
    swapped = (decision(1, 0), decision(0, 1), decision(2, 2))
    assert audited(*swapped) == [
        "1 decisions of one key are out of order: events/0/1 before events/0/0"
    ]
    assert audited(*swapped, order=None) == []
    assert audited(decision(1, 0, key="b"), decision(0, 1), decision(2, 2)) == []
    wrong = audited(decision(1, 0, key="b"), decision(0, 1), decision(2, 2), order="partition")
    assert len(wrong) == 1


def test_what_came_again_after_a_crash_is_not_out_of_order() -> None:
    """The first was shed, then all were read again and it was decided."""
    life = (letter(0, 0), decision(1, 0), decision(2, 1))
    assert audited(*life, decision(0, 2), decision(1, 3), decision(2, 4)) == []


def test_good_after_its_deadline() -> None:
    late = decision(2, 1, decided_ns=101)
    assert audited(*ALL[:2], late) == ["1 decisions say on_time after their deadline: events/0/2"]
    assert audited(*ALL[:2], decision(2, 1, decided_ns=101, outcome="late")) == []


def test_outputs_that_are_none() -> None:
    wrong = audited(*ALL, stored("decisions", 2, b"{}"), stored("letters", 1, b"x"))
    assert len(wrong) == 1
    assert wrong[0].startswith("2 outputs cannot be read: decisions/0/2")


def test_rows_of_a_record_are_events() -> None:
    rows = (decision("0/0", 0), decision("0/2", 1), letter(1, 0))
    assert audited(*rows, inputs=2) == ["1 inputs have no outcome: events/0/0/1"]
    assert audited(*rows, letter(0, 1, rows="1"), inputs=2) == []
    assert audited(*rows, letter(0, 1, rows="1"), inputs=2, events_of=lambda r: 4 - r.offset) == [
        "1 inputs have no outcome: events/0/0/3"
    ]


def test_what_lies_before_the_start_is_nobodys() -> None:
    assert audited(decision(0, 0), decision(2, 1), start={SOURCE: 2}, committed=3) == []

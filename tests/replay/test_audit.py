"""The audit finds what breaks a promise."""

import json

from hypothesis import given
from hypothesis import strategies as st

from streamproc.replay import Audit, Seen


def decision(
    offset: int, *, outcome: str = "on_time", deadline_ns: int = 100, decided_ns: int = 50
) -> bytes:
    fields = {"id": f"ticks/0/{offset}", "outcome": outcome, "deadline_ns": deadline_ns}
    return json.dumps({**fields, "decided_ns": decided_ns, "output": 1}).encode()


def seen(*values: bytes | None, appended_ns: int | None = None) -> Seen:
    audit = Audit()
    audit.add(values, [appended_ns] * len(values))
    return audit.seen


def test_repeats_are_counted_once() -> None:
    found = seen(decision(1), decision(2), decision(1))
    assert (found.records, found.distinct, found.outcomes) == (3, 2, {"on_time": 2})


def test_a_decision_after_its_deadline() -> None:
    found = seen(decision(1, decided_ns=101), decision(2, decided_ns=100))
    assert found.decided_after_deadline == 1


def test_what_is_flagged_late_breaks_nothing() -> None:
    found = seen(decision(1, outcome="late", decided_ns=500), appended_ns=600)
    assert (found.decided_after_deadline, found.appended_after_deadline) == (0, 0)
    assert found.outcomes == {"late": 1}


def test_the_brokers_own_time() -> None:
    found = seen(decision(1), appended_ns=101)
    assert (found.stamped, found.appended_after_deadline) == (1, 1)
    assert seen(decision(1)).stamped == 0


def test_what_is_no_decision() -> None:
    found = seen(None, b"", b"{}", b'{"id": "x"}', decision(1).replace(b"ticks/0/1", b"ticks"))
    assert (found.undecodable, found.distinct) == (5, 0)


@given(st.lists(st.integers(0, 300)))
def test_distinct_is_what_a_set_says(offsets: list[int]) -> None:
    assert seen(*(decision(offset) for offset in offsets)).distinct == len(set(offsets))


def test_it_travels_as_json() -> None:
    found = seen(decision(1))
    assert Seen.from_dict(json.loads(json.dumps(found.as_dict()))) == found

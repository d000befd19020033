"""Decisions and their labels, joined by id."""

import json

from streamproc.core import NS_PER_S, Duration
from streamproc.slo import LabelCounts, LabelJoin, Labels

HOUR_NS = 3_600 * NS_PER_S


def decision(name: str, label: str) -> bytes:
    return json.dumps({"id": name, "output": {"label": label}}).encode()


def truth(name: str, label: str) -> bytes:
    return json.dumps({"id": name, "label": label}).encode()


def test_right_and_wrong_are_counted_once_each() -> None:
    join = LabelJoin(Labels("truth"))
    for name, label in (("t/0/1", "up"), ("t/0/2", "up"), ("t/0/3", "down")):
        join.decided(decision(name, label), 0)
    for name, label in (("t/0/1", "up"), ("t/0/2", "down"), ("t/0/2", "down"), ("t/0/9", "up")):
        join.labelled(truth(name, label), 1)
    assert join.counts == LabelCounts(1, 1)
    assert join.unmatched == 2
    join.decided(decision("t/0/1", "up"), 2)  # read again
    join.labelled(truth("t/0/1", "up"), 2)
    assert join.counts == LabelCounts(1, 1)


def test_what_is_too_old_or_too_much_is_forgotten() -> None:
    join = LabelJoin(Labels("truth", within=Duration.parse("1h"), remember=2))
    for place in range(3):
        join.decided(decision(f"t/0/{place}", "up"), place)
    join.labelled(truth("t/0/0", "up"), 3)
    join.labelled(truth("t/0/1", "up"), HOUR_NS + 1)
    join.labelled(truth("t/0/2", "up"), HOUR_NS + 3)
    assert (join.counts, join.unmatched) == (LabelCounts(1, 0), 2)


def test_other_fields_and_other_bytes() -> None:
    join = LabelJoin(Labels("truth", id="decision", label="y", decided="a.b"))
    join.decided(b'{"id": "t/0/1", "output": {"a": {"b": 3}}}', 0)
    join.decided(b'{"id": "t/0/2", "output": 3}', 0)
    join.decided(b"\xff", 0)
    join.labelled(b'{"decision": "t/0/1", "y": 3}', 0)
    join.labelled(b"[1]", 0)
    assert (join.counts, join.unread) == (LabelCounts(1, 0), 3)

"""Alerts: told once, told again, told when they are over; their fingerprints are Alertmanager's."""

from streamproc.core import NS_PER_S
from streamproc.slo import fingerprint
from streamproc.slo.alerts import AlertBook, Condition

REPEAT_NS = 100 * NS_PER_S
SLOW = Condition({"alertname": "A", "slo": "slow"}, {"summary": "it is slow"})
SHED = Condition({"alertname": "A", "slo": "shed"}, {"summary": "it sheds"})


def test_a_fingerprint_is_the_hash_that_alertmanager_makes() -> None:
    # FNV-1a, 64 bits, of nothing: its offset. The others: see tests/integration/test_slo_alertmanager.py.
    assert fingerprint({}) == "cbf29ce484222325"
    assert fingerprint({"a": "b", "c": "d"}) == fingerprint({"c": "d", "a": "b"})
    assert fingerprint({"a": "bc"}) != fingerprint({"ab": "c"})


def test_what_goes_on_is_told_once_and_then_again_after_a_while() -> None:
    book = AlertBook(REPEAT_NS)
    (first,) = book.update(0, [SLOW])
    assert (first.status, first.starts_at) == ("firing", "1970-01-01T00:00:00.000Z")
    assert book.update(REPEAT_NS - 1, [SLOW]) == []
    (again,) = book.update(REPEAT_NS, [SLOW])
    assert (again.status, again.starts_at) == ("firing", first.starts_at)
    assert book.update(REPEAT_NS + 1, [SLOW]) == []


def test_what_is_over_is_told_with_its_end() -> None:
    book = AlertBook(REPEAT_NS)
    book.update(0, [SLOW, SHED])
    (over,) = book.update(5 * NS_PER_S, [SHED])
    assert (over.status, over.labels) == ("resolved", SLOW.labels)
    assert (over.starts_at, over.ends_at) == (
        "1970-01-01T00:00:00.000Z",
        "1970-01-01T00:00:05.000Z",
    )
    assert [alert.labels for alert in book.firing] == [SHED.labels]


def test_what_fired_in_another_life_and_is_over_is_told() -> None:
    before = AlertBook(REPEAT_NS)
    before.update(0, [SLOW, SHED])
    book = AlertBook(REPEAT_NS)
    book.restore(before.firing)
    told = {alert.labels["slo"]: alert.status for alert in book.update(9, [SHED])}
    assert told == {"slow": "resolved", "shed": "firing"}

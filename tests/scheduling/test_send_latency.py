"""How long a decision takes to the broker: a high quantile, bounded, and hopeful after it was forgotten."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streamproc.scheduling import SendLatency

MS = 1_000_000
HOUR_NS = 3_600_000 * MS


def send(**changes: int) -> SendLatency:
    return SendLatency(**{"ceiling_ns": 50 * MS} | changes)


def test_before_any_send_it_answers_what_it_was_told() -> None:
    assert send().send_ns == 3 * MS
    assert send(first_ns=7).send_ns == 7
    assert send(ceiling_ns=MS).send_ns == MS


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, HOUR_NS), max_size=700), st.integers(0, 100 * MS))
def test_no_stall_makes_it_answer_more_than_its_ceiling(took: list[int], ceiling: int) -> None:
    found = send(ceiling_ns=ceiling)
    for ns in took:
        found.observe(ns)
        assert 0 <= found.send_ns <= ceiling


def test_one_slow_send_in_a_thousand_is_expected() -> None:
    found = send()
    for number in range(1, 8_193):
        found.observe(40 * MS if number % 2_000 == 0 else 2 * MS)
        assert number < 4_096 or found.send_ns == 2 * MS


def test_a_pause_every_few_seconds_is_allowed_for() -> None:
    found = send()
    for number in range(1, 4_097):
        found.observe(30 * MS if number % 500 < 2 else 2 * MS)
        assert number < 600 or found.send_ns == 30 * MS


def test_the_first_sends_say_too_little() -> None:
    found = send(first_ns=25 * MS)
    for _ in range(255):
        found.observe(2 * MS)
        assert found.send_ns == 25 * MS
    found.observe(2 * MS)
    assert found.send_ns == 2 * MS


def test_it_comes_down_again() -> None:
    found = send()
    for _ in range(600):
        found.observe(45 * MS)
    assert found.send_ns == 45 * MS
    for _ in range(2_048):
        found.observe(MS)
    assert found.send_ns == MS


def test_forgetting_is_hope() -> None:
    found = send(first_ns=25 * MS)
    for _ in range(300):
        found.observe(45 * MS)
    found.forget()
    assert found.send_ns == 3 * MS
    found.observe(5 * MS)
    assert found.send_ns == 5 * MS

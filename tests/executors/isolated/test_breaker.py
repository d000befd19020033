"""When a model is left alone, and when it is tried again."""

from streamproc.core import NS_PER_S, Duration
from streamproc.executors import Breaker
from streamproc.executors.isolated.breaker import CircuitBreaker

OPTIONS = Breaker(
    failures=3,
    window=Duration.parse("10s"),
    pause=Duration.parse("1s"),
    pause_max=Duration.parse("3s"),
)


def opened(at_ns: int = 0) -> CircuitBreaker:
    breaker = CircuitBreaker(OPTIONS)
    assert [breaker.failed(at_ns) for _ in range(3)] == [False, False, True]
    return breaker


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    breaker = CircuitBreaker(OPTIONS)
    for _ in range(5):
        breaker.failed(0)
        breaker.failed(0)
        breaker.answered()
    assert breaker.state(0) == "closed"
    assert breaker.allows(0)
    assert opened().state(0) == "open"
    assert not opened().allows(0)


def test_failures_far_apart_do_not_count_together() -> None:
    breaker = CircuitBreaker(OPTIONS)
    assert not any(breaker.failed(n * 11 * NS_PER_S) for n in range(20))


def test_half_open_lets_one_through() -> None:
    breaker = opened()
    assert not breaker.allows(NS_PER_S - 1)
    assert [breaker.allows(NS_PER_S) for _ in range(3)] == [True, False, False]


def test_the_one_that_is_answered_closes_it() -> None:
    breaker = opened()
    assert breaker.allows(NS_PER_S)
    breaker.answered()
    assert breaker.state(NS_PER_S) == "closed"
    assert [breaker.failed(NS_PER_S) for _ in range(3)] == [False, False, True]
    assert breaker.state(2 * NS_PER_S) == "half_open"


def test_one_that_fails_doubles_the_pause_up_to_its_maximum() -> None:
    breaker, now_ns = opened(), 0
    for pause_s in (1, 2, 3, 3):
        assert not breaker.allows(now_ns + pause_s * NS_PER_S - 1)
        now_ns += pause_s * NS_PER_S
        assert breaker.allows(now_ns)
        assert breaker.failed(now_ns)
    assert breaker.opened_total == 5


def test_what_was_under_way_when_it_opened_changes_nothing() -> None:
    breaker = opened()
    assert not breaker.failed(0)
    assert breaker.opened_total == 1

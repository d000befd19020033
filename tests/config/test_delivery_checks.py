"""What transactions cannot hold together is refused, with its line."""

import pytest

from tests.config.conftest import Problems, Read

ONCE = "delivery: exactly-once\n"


@pytest.mark.parametrize(
    ("added", "key", "words"),
    [
        ("    transaction_interval: 26ms\n" + ONCE + "deadline: {budget: 100ms}\n", "sink.kafka.transaction_interval", "at most 25ms"),
        (
            "    transaction_interval: 26ms\n" + ONCE + "lanes: [{name: a, when: price > 1, budget: 100ms}]\n",
            "sink.kafka.transaction_interval",
            "a quarter of the smallest budget",
        ),
        ("    bootstrap_servers: other:9092\n" + ONCE, "sink.kafka.bootstrap_servers", "one cluster"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    problems: Problems, minimal: str, added: str, key: str, words: str
) -> None:
    (found,) = problems(minimal + added)
    assert (found.line, found.key) == (13, key)
    assert words in found.message


def test_records_of_several_events_are_refused(problems: Problems, minimal: str) -> None:
    start = minimal.index("codec:")
    end = minimal.index("model:")
    arrow = minimal[:start] + "codec: {arrow: {fields: {f: 'float32[16]'}}}\n" + minimal[end:]
    found = problems(arrow + ONCE)
    assert [p.key for p in found] == ["delivery"]
    assert "one event each" in found[0].message


def test_what_fits_is_read(read: Read, minimal: str) -> None:
    config = read(
        minimal + "    transaction_interval: 25ms\n" + ONCE + "deadline: {budget: 100ms}\n"
    ).config
    assert config.delivery == "exactly_once"
    assert read(minimal + "    transaction_interval: 1m\n").config.delivery == "at_least_once"

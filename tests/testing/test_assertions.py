"""The assertions and the outcome checker say what is wrong."""

from dataclasses import replace

import pytest

from streamproc.telemetry import Accounts
from streamproc.testing import (
    Decision,
    FakeExecutor,
    OutcomeChecker,
    PipelineTest,
    assert_accounts,
    assert_no_on_time_after_deadline,
    assert_order,
)
from tests.engine.pipelines import pipeline


def decisions(count: int) -> list[Decision]:
    test = PipelineTest(pipeline(), executor=FakeExecutor())
    for n in range(count):
        test.send("ticks", {"x": n}, key="k" if n != 1 else None)
    return list(test.run().decisions)


def test_books_that_do_not_add_up() -> None:
    accounts = Accounts(pipeline="p")
    accounts.fetched = 1
    summary = accounts.summary(1.0, 0.0)
    with pytest.raises(Exception, match="do not add up"):
        assert_accounts(accounts)
    assert_accounts(accounts, in_flight=1)
    with pytest.raises(AssertionError, match="add up to 0, but 1 were consumed"):
        assert_accounts({**summary, "consumed": 1})
    lost = {**summary, "consumed": 1, "outcomes": {**summary["outcomes"], "shed": 1}}
    with pytest.raises(AssertionError, match="only 0 have a reason"):
        assert_accounts(lost)  # type: ignore[arg-type]


def test_good_after_the_deadline() -> None:
    (one,) = decisions(1)
    assert_no_on_time_after_deadline([one])
    wrong = replace(one, decided_ns=one.deadline_ns + 1)
    with pytest.raises(AssertionError, match="ticks/0/0 on_time 1 ns late"):
        assert_no_on_time_after_deadline([wrong])
    assert_no_on_time_after_deadline([replace(wrong, outcome="late")])
    times = {one.id: one.deadline_ns + 1}
    with pytest.raises(AssertionError, match="1 good decisions were acknowledged after"):
        assert_no_on_time_after_deadline([one], times)
    assert_no_on_time_after_deadline([one], times, acked_late=1)


def test_the_order_of_keys_and_partitions() -> None:
    a, none, b = decisions(3)
    assert_order([a, b, none])
    with pytest.raises(AssertionError, match="ticks/0/1 stands behind ticks/0/2"):
        assert_order([a, b, none], by="partition")
    with pytest.raises(AssertionError, match="key 'k': ticks/0/0 stands behind ticks/0/2"):
        assert_order([b, a])
    assert_order([a, b, a, b], repeats=True)
    with pytest.raises(AssertionError, match="stands behind"):
        assert_order([a, b, a, b])


def letter(
    event: str, outcome: str = "dead_letter", reason: str = "empty"
) -> tuple[list[tuple[str, bytes]], bytes]:
    headers = {
        "streamproc-source": event,
        "streamproc-outcome": outcome,
        "streamproc-reason": reason,
    }
    return [(name, text.encode()) for name, text in headers.items()], b"value"


def decided(event: str, *, outcome: str = "on_time", decided_ns: int = 1, output: int = 1) -> bytes:
    return (
        f'{{"id":"{event}","outcome":"{outcome}","decided_ns":{decided_ns},"output":{output}}}'
    ).encode()


def test_each_input_once() -> None:
    checker = OutcomeChecker(f"t/0/{n}" for n in range(3))
    checker.add_decisions([decided("t/0/0"), decided("t/0/1", outcome="late")])
    report = checker.report()
    assert report.missing == ("t/0/2",)
    with pytest.raises(AssertionError, match="1 of 3 have no outcome: t/0/2"):
        report.assert_each_at_least_once()

    checker.add_letters([letter("t/0/2")])
    report = checker.report()
    report.assert_each_once()
    assert report.outcomes == {"on_time": 1, "late": 1, "dead_letter": 1}


def test_repeats_may_differ_in_time_only() -> None:
    checker = OutcomeChecker(["t/0/0", "t/0/1", "t/0/2"])
    checker.add_decisions([decided("t/0/0"), decided("t/0/0", outcome="late", decided_ns=9)])
    checker.add_decisions([decided("t/0/1")])
    checker.add_letters([letter("t/0/1", "shed", "expired"), letter("t/0/2"), letter("t/0/2")])
    report = checker.report()
    report.assert_each_at_least_once()
    assert report.several == {"t/0/0": 2, "t/0/1": 2, "t/0/2": 2}
    assert report.mixed == ("t/0/1",)
    with pytest.raises(AssertionError, match="3 of 3 have several outcomes"):
        report.assert_each_once()

    checker.add_decisions([decided("t/0/0", output=2)])
    with pytest.raises(AssertionError, match="another content: t/0/0"):
        checker.report().assert_each_at_least_once()


def test_an_output_about_no_input() -> None:
    checker = OutcomeChecker()
    checker.add_decisions([decided("t/0/10"), decided("t/0/9")])
    assert checker.report().unknown == ("t/0/9", "t/0/10")
    with pytest.raises(AssertionError, match="outcomes of no input"):
        checker.report().assert_each_once()
    checker.add_inputs(["t/0/9", "t/0/10"])
    checker.report().assert_each_once()
    with pytest.raises(ValueError, match="a letter needs the headers"):
        checker.add_letters([((), b"")])

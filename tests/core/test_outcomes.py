"""Outcomes and reasons: their words are a contract with metrics and topics."""

from streamproc.core import Outcome, Reason


def test_the_words_on_the_wire() -> None:
    assert [outcome.word for outcome in Outcome] == [
        "on_time",
        "degraded",
        "late",
        "shed",
        "dead_letter",
        "filtered",
        "absorbed",
    ]


def test_the_codes_are_dense_so_that_bincount_counts_them() -> None:
    assert [int(outcome) for outcome in Outcome] == list(range(len(Outcome)))


def test_reasons_are_labels() -> None:
    assert Reason.NONE.value == ""
    for reason in set(Reason) - {Reason.NONE}:
        assert reason.value.replace("_", "").isalpha()
        assert reason.value.islower()

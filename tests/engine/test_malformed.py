"""A corpus of malformed records through a whole pipeline: dead letters with reasons, in order, and nothing after it is worse."""

import os

import numpy as np
import pytest

from streamproc.codecs import JsonCodec
from streamproc.core import Reason
from streamproc.engine import Limits
from streamproc.testing import PipelineTest, assert_accounts
from tests.engine.pipelines import pipeline, within
from tests.support.malformed import FIELDS, corpus, valid

COUNT = 10_000
SEED = int(os.environ.get("STREAMPROC_SEED", "1"))
PER_BATCH = 250
MS = 1_000_000
REASONS = {
    str(reason)
    for reason in (
        Reason.EMPTY,
        Reason.TOO_LARGE,
        Reason.UNDECODABLE,
        Reason.MISSING_FIELD,
        Reason.WRONG_TYPE,
        Reason.WRONG_LENGTH,
        Reason.NOT_FINITE,
    )
}


def job() -> PipelineTest:
    codec = JsonCodec(fields=FIELDS)
    return PipelineTest(
        pipeline(codec=codec, features=("f",), deadline=within("100ms", from_="arrival")),
        partitions=1,
    )


def send_good(test: PipelineTest, count: int) -> None:
    """Valid events, one a millisecond."""
    rng = np.random.default_rng(SEED)
    start_ns = test.now_ns
    for number in range(count):
        test.send("ticks", valid(rng), partition=0, at_ns=start_ns + number * MS)


def test_ten_thousand_malformed_records_are_dead_letters_in_order() -> None:
    alone = job()
    send_good(alone, 500)
    expected = alone.run()

    test = job()
    start_ns = test.now_ns
    for number, (key, value, headers) in enumerate(corpus(SEED, COUNT)):
        test.send(
            "ticks",
            value,
            key=key,
            headers=headers,
            partition=0,
            at_ns=start_ns + number // PER_BATCH * MS,
        )
    after_corpus = test.run()
    assert_accounts(after_corpus.summary)
    letters = after_corpus.dead_letters
    assert after_corpus.summary["outcomes"]["dead_letter"] == len(letters) == COUNT
    # Each once, in the order of the input, with what it was and a reason of the fixed few.
    assert [letter.id for letter in letters] == [f"ticks/0/{n}" for n in range(COUNT)]
    for letter, sent in zip(letters, corpus(SEED, COUNT), strict=True):
        assert (letter.record.key, letter.record.value) == (sent.key, sent.value)
        assert letter.reason in REASONS
        assert letter.detail
    assert {letter.reason for letter in letters} == REASONS - {"too_large"}

    send_good(test, 500)
    after = test.run()
    assert_accounts(after.summary)
    assert after.summary["outcomes"]["on_time"] == 500
    # Neither later nor otherwise than in a pipeline that never saw the corpus: the clock is virtual.
    assert [d.output for d in after.decisions] == [d.output for d in expected.decisions]
    lateness = [
        [d.decided_ns - d.event_time_ns for d in result.decisions] for result in (expected, after)
    ]
    assert lateness[0] == lateness[1]


@pytest.mark.parametrize(
    ("key", "headers", "words"),
    [
        (b"k" * 65_537, (), "the key has 65537 bytes, the limit is 65536"),
        (b"k", (("a", b""),) * 65, "the record has 65 headers, the limit is 64"),
        (b"k", (("a", b"x" * 65_536),), "the headers have 65537 bytes, the limit is 65536"),
        (b"k", (("a" * 65_537, None),), "the headers have 65537 bytes, the limit is 65536"),
    ],
)
def test_what_is_too_large_beside_its_value_is_not_read(
    key: bytes, headers: tuple[tuple[str, bytes | None], ...], words: str
) -> None:
    test = job()
    rng = np.random.default_rng(SEED)
    for number in range(5):
        large = number == 2
        test.send(
            "ticks",
            valid(rng),
            key=key if large else b"k" * 65_536,
            headers=headers if large else (("a", b"x" * 65_535),),
            partition=0,
        )
    result = test.run()
    assert_accounts(result.summary)
    (letter,) = result.dead_letters
    assert (letter.id, letter.reason, letter.detail) == ("ticks/0/2", "too_large", words)
    assert len(result.decisions) == 4


def test_limits_can_be_set() -> None:
    test = PipelineTest(pipeline(limits=Limits(headers=0)), partitions=1)
    test.send("ticks", {"x": 1}, headers={"a": b"1"})
    test.send("ticks", {"x": 2})
    result = test.run()
    assert [letter.id for letter in result.dead_letters] == ["ticks/0/0"]
    assert [decision.offset for decision in result.decisions] == [1]

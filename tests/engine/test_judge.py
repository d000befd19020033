"""When a canary is taken back: shares of its events over the last while."""

from streamproc.engine.judge import CanaryJudge, Limits

S = 1_000_000_000


def judge(**limits: float | None) -> CanaryJudge:
    told = {
        "disagreement": 0.1, "failures": 0.1, "misses": 0.1, "stall_ns": S, "min_events": 10,
        "within_ns": 10 * S,
    } | limits  # fmt: skip
    return CanaryJudge(Limits(**told))  # type: ignore[arg-type]


def test_a_share_above_its_limit_is_enough_and_at_it_is_not() -> None:
    one = judge()
    one.differed.count(100, 10, S)
    assert one.verdict(S) is None
    one.differed.count(1, 1, S)
    assert one.verdict(S) == ("disagreement", "10.9% of its decisions are other ones")


def test_few_events_prove_nothing_and_no_limit_is_none() -> None:
    one = judge(failures=None)
    one.differed.count(9, 9, S)
    one.failed.count(100, 100, S)
    assert one.verdict(S) is None


def test_what_is_old_counts_no_more_where_enough_is_new() -> None:
    one = judge()
    one.differed.count(1_000, 0, 0)
    for second in range(20, 25):
        one.differed.count(10, 2, second * S)
    verdict = one.verdict(25 * S)
    assert verdict is not None
    assert verdict.words.startswith("20.0%")


def test_what_is_old_counts_where_little_is_new() -> None:
    one = judge(min_events=100)
    one.differed.count(100, 0, 0)
    one.differed.count(10, 10, 60 * S)
    assert one.differed.of(60 * S) == 10 / 110
    one.others_missed.count(1, 1, 0)  # of another kind: it keeps nothing of the others
    one.differed.count(100, 0, 70 * S)
    assert one.differed.of(75 * S) == 0.0


def test_misses_are_held_against_those_of_the_others() -> None:
    one = judge()
    for share in (one.missed, one.others_missed):
        share.count(100, 50, S)
    assert one.verdict(S) is None
    one.missed.count(0, 25, S)
    verdict = one.verdict(S)
    assert verdict is not None
    assert verdict.reason == "misses"


def test_a_batch_that_does_not_end_is_a_stall() -> None:
    one = judge()
    assert one.stalled(5, S) is None
    assert one.stalled(5, S + 5) is not None
    assert one.stalls_at(5) == S + 5
    assert judge(stall_ns=None).stalled(5, 99 * S) is None

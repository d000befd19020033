"""What to do about what was not good, in plain words."""

from collections.abc import Iterator

from streamproc.core import Outcome
from streamproc.reports.quantities import count, duration
from streamproc.reports.run import Run

_WORTH_A_WORD = 0.001
"""A smaller share of the events is not explained: the table has it."""
_OLD_PART = 0.5
"""Where half of the events have used this part of the budget before they arrive, the cause lies before us."""


def advice(run: Run) -> list[str]:
    """What to do about what was not good; empty where there is nothing."""
    if run.failure is not None or run.overload_meant:
        return []
    if not run.accounts.consumed:
        return [
            (
                "Is anything written to the source's topics? Without committed offsets, "
                "auto_offset_reset: latest begins behind what is already there."
            ),
        ]
    return [*_too_slow(run), *_dead_letters(run), *_lost(run), *_clocks(run)]


def _too_slow(run: Run) -> Iterator[str]:
    accounts = run.accounts
    outcomes = accounts.outcomes
    missed = outcomes[Outcome.LATE] + outcomes[Outcome.SHED]
    behind = run.intervals[-1].lag if run.intervals else 0
    if behind > run.rate_per_s:
        yield (
            f"{count(behind, 'record')} still waited in Kafka at the end, more than a second of work: "
            "the pipeline does not keep up. More workers (run --workers) take more partitions."
        )
    if missed <= _WORTH_A_WORD * accounts.consumed:
        return
    stages = {name: stage.counts() for name, stage in accounts.stages.items()}
    found = {name: counts for name, counts in stages.items() if counts.count}
    if not found:
        return
    broker = found.get("broker")
    slowest = max(found, key=lambda name: found[name].percentile_ns(99))
    if broker is not None and broker.percentile_ns(50) > _OLD_PART * run.budget_ns:
        slowest = "broker"
    high, middle = (duration(found[slowest].percentile_ns(q)) for q in (99, 50))
    yield {
        "broker": f"Events are old when they arrive: half of them by more than {middle} of the {duration(run.budget_ns)}, "
        f"one in a hundred by more than {high}. Look at the producer's linger and its clock (docs/deadlines.md), whether "
        "the pipeline began on a backlog, and whether others keep this machine's processors busy.",
        "decode": f"Decoding and features take up to {high} (p99): the features function is the first suspect.",
        "queue": f"Events wait up to {high} (p99) for a batch: more come than the model can do, "
        f"{_batch_words(run)}. A cheaper model, more workers (run --workers), or a longer budget helps.",
        "infer": f"The model takes up to {high} (p99) for a batch, {_batch_words(run)}: "
        "a cheaper model, a smaller batching.max_size, or a longer budget helps.",
        "emit": f"Kafka takes up to {high} (p99) to acknowledge a decision: look at the broker's disk and its "
        "collector's pauses, or give a longer budget.",
    }[slowest]


def _batch_words(run: Run) -> str:
    batches = sum(run.accounts.batches.values())
    return f"{run.accounts.batched / max(1, batches):.3g} events to a batch on average"


def _dead_letters(run: Run) -> Iterator[str]:
    reasons = [
        (n, why) for (of, why), n in run.accounts.settled.items() if of is Outcome.DEAD_LETTER
    ]
    if reasons:
        number, why = max(reasons)
        yield (
            f"{count(run.accounts.outcomes[Outcome.DEAD_LETTER], 'event')} became dead letters, {number:,} of them "
            f"for {why or 'an unknown reason'}: the dead letter topic keeps their bytes, and says in headers what was wrong."
        )


def _lost(run: Run) -> Iterator[str]:
    accounts = run.accounts
    if gone := accounts.skips["retention"]:
        yield (
            f"{count(gone, 'record')} were gone before they could be read: "
            "the topic's retention is shorter than the time the pipeline was behind."
        )
    if jumped := accounts.skips["skip_ahead"]:
        yield (
            f"{count(jumped, 'record')} were jumped over by skip_ahead, too old for any answer: "
            "the pipeline began on a backlog."
        )
    if accounts.acked_late > _WORTH_A_WORD * accounts.consumed:
        yield (
            f"{count(accounts.acked_late, 'decision')} left in time and were acknowledged late: "
            "the broker paused for longer than it had before."
        )


def _clocks(run: Run) -> Iterator[str]:
    accounts = run.accounts
    ahead = accounts.e2e.negative_total + accounts.wrong_event_times
    if ahead:
        yield (
            f"{count(ahead, 'event')} said that they happened later than they could have: "
            "a producer's clock is ahead (docs/deadlines.md)."
        )

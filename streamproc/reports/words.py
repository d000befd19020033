"""What a run comes to, in plain words: how it went, where the time went, what to do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from streamproc.core import Outcome
from streamproc.reports.quantities import count, duration, share
from streamproc.reports.run import Run
from streamproc.telemetry import Stage

Level = Literal["good", "fair", "bad"]

GOOD_SHARE = 0.99
"""From this share of decisions in time on a run is called good: the objective that the contract's example sets."""
_WORTH_A_WORD = 0.001
"""A smaller share of the events is not explained: the table has it."""
_OLD_PART = 0.5
"""Where half of the events have used this part of the budget before they arrive, the cause lies before us."""

OUTCOME_WORDS: dict[Outcome, str] = {
    Outcome.ON_TIME: "decided before the deadline",
    Outcome.DEGRADED: "decided in time by a cheaper variant",
    Outcome.LATE: "decided after the deadline, and flagged so",
    Outcome.SHED: "given up: no answer in time was possible",
    Outcome.DEAD_LETTER: "unreadable, or the code failed on it",
    Outcome.FILTERED: "left out by your rule",
    Outcome.ABSORBED: "changed state only",
}
STAGE_WORDS: dict[Stage, str] = {
    "broker": "before it arrived here (producer, Kafka, fetch)",
    "decode": "being decoded and made into features",
    "queue": "waiting for a batch",
    "infer": "in the model",
    "emit": "until Kafka had acknowledged the decision",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The first thing that a reader sees.

    Attributes:
        level: how it went.
        word: the same in a word.
        headline: in a sentence.
    """

    level: Level
    word: str
    headline: str


def verdict(run: Run) -> Verdict:
    """How the run went."""
    if run.failure is not None:
        return Verdict("bad", "It failed", f"The run ended before it was meant to: {run.failure}")
    broken = [check.text for check in run.checks if not check.ok]
    if broken:
        return Verdict("bad", "A promise was broken", f"{_headline(run)} But: {'; '.join(broken)}.")
    consumed = run.accounts.consumed
    if not consumed:
        return Verdict("fair", "Nothing came", "No event was consumed.")
    if run.in_time >= GOOD_SHARE * consumed:
        return Verdict("good", "In time", _headline(run))
    return Verdict("fair", "Not all in time", _headline(run))


def _headline(run: Run) -> str:
    consumed, in_time = run.accounts.consumed, run.in_time
    within = f"within {_budget(run)}"
    if in_time == consumed:
        return f"All {count(consumed, 'event')} were decided {within}."
    part = "None" if in_time == 0 else share(in_time, consumed)
    return f"{part} of {count(consumed, 'event')} were decided {within}; the rest: {_rest(run)}."


def _budget(run: Run) -> str:
    return duration(run.budget_ns) + ("" if run.from_event_time else " of their arrival")


def _rest(run: Run) -> str:
    """The other outcomes, the most frequent first, each with its most frequent reason."""
    parts = []
    outcomes = run.accounts.outcomes
    for outcome in sorted(Outcome, key=lambda one: -outcomes[one]):
        if outcome in (Outcome.ON_TIME, Outcome.DEGRADED) or not outcomes[outcome]:
            continue
        reasons = [
            (n, why) for (of, why), n in run.accounts.settled.items() if of is outcome and why
        ]
        because = f" ({max(reasons)[1].replace('_', ' ')})" if reasons else ""
        parts.append(f"{outcomes[outcome]:,} {outcome.word.replace('_', ' ')}{because}")
    return ", ".join(parts)


def where_the_time_went(run: Run) -> Iterator[str]:
    """The latency, and the stages' part of it; nothing where nothing was decided."""
    latency = run.accounts.e2e.counts()
    if not latency.count:
        return
    middle, high = duration(latency.percentile_ns(50)), duration(latency.percentile_ns(99))
    yield (
        f"Half of the decisions were with the broker {middle} after their event or sooner, "
        f"99% within {high}; the longest took {duration(latency.max_ns)}."
    )
    means = {
        name: stage.sum_ns / stage.count
        for name, stage in run.accounts.stages.items()
        if stage.count
    }
    if len(means) < len(STAGE_WORDS):
        return
    most = max(means, key=lambda name: means[name])
    parts = [f"{duration(mean)} {STAGE_WORDS[name]}" for name, mean in means.items()]
    yield (
        f"On average an event spent {', '.join(parts[:-1])}, and {parts[-1]}. "
        f"So {100 * means[most] / sum(means.values()):.0f}% "
        f"of the time passed {STAGE_WORDS[most]}."
    )


def advice(run: Run) -> list[str]:
    """What to do about what was not good; empty where there is nothing."""
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
    broker = stages["broker"]
    if broker.count and broker.percentile_ns(50) > _OLD_PART * run.budget_ns:
        yield (
            f"Events are old when they arrive: half of them by more than {duration(broker.percentile_ns(50))} of "
            f"the {duration(run.budget_ns)}. Look at the producer's linger, its clock (docs/deadlines.md), and "
            "whether the pipeline began on a backlog."
        )
        return
    own = {name: counts for name, counts in stages.items() if name != "broker" and counts.count}
    if not own:
        return
    slowest = max(own, key=lambda name: own[name].percentile_ns(99))
    high = duration(own[slowest].percentile_ns(99))
    yield {
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
    if accounts.skipped:
        yield (
            f"{count(accounts.skipped, 'record')} were gone before they could be read: "
            "the topic's retention is shorter than the time the pipeline was behind."
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

"""What a run comes to, in plain words: how it went, and where the time went."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from streamproc.core import Outcome
from streamproc.reports.quantities import count, duration, share
from streamproc.reports.run import Run
from streamproc.telemetry import Stage

Level = Literal["good", "fair", "bad"]

GOOD_SHARE = 0.99
"""From this share of decisions in time on a run is called good: the objective that the contract's example sets."""
_LARGE = 0.15
"""A stage with this share of the time is named."""

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
        until = f" Until then: {_headline(run)}" if run.accounts.consumed else ""
        why = run.failure.rstrip(".")
        return Verdict("bad", "It failed", f"The run ended before it was meant to: {why}.{until}")
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
    if in_time == 0:
        return f"None of {count(consumed, 'event')} was decided {within}: {_rest(run)}."
    part = share(in_time, consumed)
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
    """The latency, and the stages' part of it; nothing where nothing was measured."""
    latency = run.accounts.e2e.counts()
    if latency.count:
        middle, high = duration(latency.percentile_ns(50)), duration(latency.percentile_ns(99))
        yield (
            f"Half of the decisions were with the broker {middle} after their event or sooner, "
            f"99% within {high}; the longest took {duration(latency.max_ns)}."
        )
    means = stage_means_ns(run)
    total_ns = sum(means.values())
    if not total_ns:
        return
    large = sorted(means, key=lambda name: -means[name])
    large = [name for name in large if means[name] >= _LARGE * total_ns]
    parts = [f"{100 * means[name] / total_ns:.0f}% {STAGE_WORDS[name]}" for name in large]
    rest_ns = total_ns - sum(means[name] for name in large)
    rest = f"; the other stages took {duration(rest_ns)} in all" if rest_ns else ""
    yield f"Of an event's time, {duration(total_ns)} on average, it spent {_joined(parts)}{rest}."
    tail = run.accounts.slowest()
    if tail is not None:
        yield (
            f"What makes the p99 is the time {STAGE_WORDS[tail.stage]}: events above "
            f"{duration(tail.threshold_ns)} spent {duration(tail.mean_ns[tail.stage])} of theirs so on average, all "
            f"others {duration(tail.typical_ns[tail.stage])}."
        )


def stage_means_ns(run: Run) -> dict[Stage, float]:
    """The mean time in each stage that was measured, over the events that passed it."""
    stages = run.accounts.stages
    return {name: stage.sum_ns / stage.count for name, stage in stages.items() if stage.count}


def _joined(parts: Sequence[str]) -> str:
    *others, last = parts
    return f"{', '.join(others)} and {last}" if others else last


def verified(run: Run) -> str:
    """What looking from outside found, in a sentence; empty where nobody looked."""
    if not run.checks:
        return ""
    held = sum(check.ok for check in run.checks)
    if held == len(run.checks):
        return f"Verified from outside: {count(held, 'check')}, and every promise was kept."
    return f"Verified from outside: {held} of {count(len(run.checks), 'check')} held."

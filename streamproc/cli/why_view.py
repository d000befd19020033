"""Why an event ended as it did: for people and for programs."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from streamproc.cli.screen import line, table
from streamproc.config import PipelineConfig
from streamproc.core import NS_PER_MS
from streamproc.replay.simulation import IN_TIME
from streamproc.replay.why import Answer, Change, Story


def show(console: Console, answer: Answer, config: PipelineConfig) -> None:
    """The story, then what would have saved it."""
    ended, story = answer.ended, answer.story
    reason = f" ({ended.reason})" if ended.reason else ""
    saved = ended.outcome in IN_TIME
    line(
        console,
        f"{answer.event}: {ended.outcome.word}{reason}",
        "bold green" if saved else "bold red",
    )
    for sentence in sentences(answer):
        line(console, sentence)
    rows = table("stage", "ms", "")
    for name, took_ns in story.stages_ns.items():
        rows.add_row(name, f"{took_ns / NS_PER_MS:.2f}", "")
    console.print(rows)
    if saved:
        return
    if not answer.changes:
        line(console, "No single change that was tried would have saved it.", "bold")
        return
    first, *others = answer.changes
    line(console, f"The smallest change that would have saved it: {first.words}.", "bold")
    _show_overrides(console, first, config)
    if others:
        line(console, "Or:")
    for change in others:
        line(console, f"  {change.words}")
        _show_overrides(console, change, config)


def sentences(answer: Answer) -> Sequence[str]:
    """The story in words."""
    story, ended = answer.story, answer.ended
    budget_ms = _ms(answer.deadline_ns - answer.event_time_ns)
    lag_ms = _ms(answer.arrival_ns - answer.event_time_ns)
    left_ms = _ms(answer.deadline_ns - answer.arrival_ns)
    said = [
        f"It was due {budget_ms:.4g} ms after it happened; it came after {lag_ms:.4g} ms, so {left_ms:.4g} ms were left."
    ]
    said.append(_way(story))
    if story.batch:
        over_ms = _ms(ended.final_ns - answer.deadline_ns)
        when = (
            f"{over_ms:.4g} ms after its deadline"
            if over_ms > 0
            else f"{-over_ms:.4g} ms before it was due"
        )
        said.append(
            f"It ran in a batch of {story.batch} for {_ms(story.batch_ns):.4g} ms, and was acknowledged {when}."
        )
    else:
        said.append(
            f"Alone it would have taken {_ms(story.batch_ns):.4g} ms of the model and {_ms(story.send_ns):.4g} ms of "
            f"sending; {_batches(story.batches_between)} began before it was given up."
        )
    said.append(_load(answer))
    if answer.in_time_anyway > 0 and ended.outcome not in IN_TIME:
        said.append(
            f"It hung by a thread: in {100 * answer.in_time_anyway:.0f}% of the reruns, which begin at other instants, "
            "it is in time without any change."
        )
    elif answer.rerun_outcome is not ended.outcome:
        said.append(
            f"The scheduler run again makes it {answer.rerun_outcome.word}: something that is not in the recording, such "
            "as a pause of the machine, had a part in it."
        )
    return said


def as_json(answer: Answer, config: PipelineConfig) -> dict[str, Any]:
    """The one object."""
    ended, story = answer.ended, answer.story
    return {
        "event": str(answer.event),
        "outcome": ended.outcome.word,
        "reason": ended.reason or None,
        "event_time_ns": answer.event_time_ns,
        "arrival_ns": answer.arrival_ns,
        "deadline_ns": answer.deadline_ns,
        "final_ns": ended.final_ns,
        "stages_ms": {name: _ms(took_ns) for name, took_ns in story.stages_ns.items()},
        "ahead": {"events": story.ahead, "due_first": story.ahead_due_first},
        "running": {"batches": list(story.running), "left_ms": _ms(story.running_left_ns)},
        "between": {"events": story.came_between, "batches": story.batches_between},
        "batch": {"size": story.batch, "model_ms": _ms(story.batch_ns)},
        "load": {
            "since_ns": story.burst_since_ns,
            "rate_per_s": round(story.rate_per_s, 3),
            "capacity_per_s": round(story.capacity_per_s, 3),
        },
        "rerun": {
            "outcome": answer.rerun_outcome.word,
            "in_time_without_change": answer.in_time_anyway,
        },
        "changes": [
            {
                "kind": one.kind,
                "amount": one.amount,
                "relative": round(one.relative, 6),
                "words": one.words,
                "set": overrides(one, config),
            }
            for one in answer.changes
        ],
    }


def overrides(change: Change, config: PipelineConfig) -> list[str]:
    """The keys of the configuration that make a change, as ``--set`` takes them."""
    named = []
    for text in change.overrides:
        key, _, value = text.partition("=")
        if key == "concurrency":
            executor = type(config.model.executor).__name__
            key = {"OnnxRuntime": "model.executor.onnxruntime.concurrency"}.get(executor, "")
        elif key == "budget":
            key = "deadline.budget" if not config.lanes else ""
        elif key == "variant":
            key = ""
        if key:
            named.append(f"{key}={value}")
    return named


def _show_overrides(console: Console, change: Change, config: PipelineConfig) -> None:
    for text in overrides(change, config):
        line(console, f"    --set {text}", "dim")


def _way(story: Story) -> str:
    """What was in its way when it came."""
    if not story.running_left_ns:
        running = "an executor was free"
    else:
        sizes = " and ".join(map(str, story.running))
        running = (
            f"a batch of {sizes} was running, for another {_ms(story.running_left_ns):.4g} ms"
            if len(story.running) == 1
            else f"batches of {sizes} were running, the first for another {_ms(story.running_left_ns):.4g} ms"
        )
    return f"When it came, {running}, and {story.ahead:,} events waited, {story.ahead_due_first:,} of them due before it."


def _batches(number: int) -> str:
    if not number:
        return "no other batch"
    return f"{number} other batch{'es' if number > 1 else ''}"


def _load(answer: Answer) -> str:
    """How much came, beside what can be done."""
    story = answer.story
    since_ms = _ms(answer.arrival_ns - story.burst_since_ns)
    if not story.capacity_per_s:
        return "No batch of the model is within the budget."
    if since_ms <= 0:
        return f"The executors had a pause right before it; they can do {story.capacity_per_s:,.0f} events a second."
    times = story.rate_per_s / story.capacity_per_s
    return (
        f"In the {since_ms:.4g} ms before it the executors had no pause: {story.rate_per_s:,.0f} events a second came, "
        f"{times:.2g} times what they can do."
    )


def _ms(ns: int) -> float:
    return ns / NS_PER_MS

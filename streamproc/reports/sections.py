"""The tables and charts of a report, made of a run."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from streamproc.core import NS_PER_MS, NS_PER_S, Outcome
from streamproc.reports.chart import FULL, Chart
from streamproc.reports.distribution import histogram
from streamproc.reports.over_time import Series, over_time
from streamproc.reports.quantities import count, duration, rate, rounded, share
from streamproc.reports.run import Run
from streamproc.reports.scales import linear, logarithmic
from streamproc.reports.words import OUTCOME_WORDS, STAGE_WORDS, stage_means_ns
from streamproc.telemetry import BATCH_SIZE_BOUNDS, STAGES, BatchReason, LatencyCounts

_ALWAYS = (Outcome.ON_TIME, Outcome.LATE, Outcome.SHED)
"""Outcomes that are shown even where there are none."""
_BATCH_WORDS: dict[BatchReason, str] = {
    "full": "since they were full",
    "deadline": "since a deadline came near",
    "idle": "since the model was free",
    "drain": "since the run came to its end",
}
_CUT_FROM = 4
"""Where the highest interval is so many times as high as nine of ten others, the axis ends below it."""


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table with a bar.

    Attributes:
        name: what it is about.
        style: the bar's CSS class.
        cells: its numbers.
        percent: the bar's length.
        faint_percent: the length of the paler bar around it; 0 for none.
        words: what it means.
    """

    name: str
    style: str
    cells: tuple[str, ...]
    percent: float
    words: str = ""
    faint_percent: float = 0.0


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a strip that shows a whole; left and width in thousandths."""

    name: str
    left: int
    width: int
    text: str
    words: str


def stage_strip(run: Run) -> list[Part]:
    """An event's time on average, stage by stage; empty where nothing was measured."""
    means = stage_means_ns(run)
    total_ns = sum(means.values())
    if not total_ns:
        return []
    edges = [0, *itertools.accumulate(means.values())]
    places = [round(FULL * edge / total_ns) for edge in edges]
    return [
        Part(name, left, right - left, duration(mean_ns), STAGE_WORDS[name])
        for (name, mean_ns), (left, right) in zip(
            means.items(), itertools.pairwise(places), strict=True
        )
    ]


def key_figures(run: Run) -> Iterator[tuple[str, str]]:
    """The figures that are looked for first: name and value."""
    consumed = run.accounts.consumed
    yield "in time", share(run.in_time, consumed) or "-"
    latency = run.accounts.e2e.counts()
    if latency.count:
        for name, q in (("p50", 50), ("p99", 99), ("p99.9", 99.9)):
            yield f"latency {name}", duration(latency.percentile_ns(q))
    yield "throughput", rate(run.rate_per_s)
    if consumed:
        yield "CPU per event", duration(run.cpu_s * NS_PER_S / consumed)


def outcome_rows(run: Run) -> list[Row]:
    """What became of the events; adds up to what was consumed."""
    consumed = run.accounts.consumed
    rows = []
    for outcome, number in run.accounts.outcomes.items():
        if not number and outcome not in _ALWAYS:
            continue
        reasons = sorted(
            ((n, why) for (of, why), n in run.accounts.settled.items() if of is outcome and why),
            reverse=True,
        )
        because = ", ".join(f"{why} {n:,}" for n, why in reasons)
        words = OUTCOME_WORDS[outcome] + (f": {because}" if because else "")
        percent = 100 * number / consumed if consumed else 0.0
        cells = (f"{number:,}", share(number, consumed))
        rows.append(Row(outcome.word, outcome.word, cells, percent, words))
    return rows


def stage_rows(run: Run) -> list[Row]:
    """Where an event's time goes, stage by stage; the bars go to p50, the paler ones to p99."""
    found = {name: stage.counts() for name, stage in run.accounts.stages.items() if stage.count}
    longest_ns = max((counts.percentile_ns(99) for counts in found.values()), default=1) or 1
    return [
        Row(
            name,
            name,
            tuple(
                duration(ns)
                for ns in (counts.percentile_ns(50), counts.percentile_ns(99), counts.mean_ns)
            ),
            100 * counts.percentile_ns(50) / longest_ns,
            f"time spent {STAGE_WORDS[name]}",
            100 * counts.percentile_ns(99) / longest_ns,
        )
        for name, counts in found.items()
    ]


def batch_rows(run: Run) -> list[Row]:
    """How many micro-batches there were of each size."""
    sizes = run.accounts.batch_sizes
    total = sum(sizes)
    names = ["1", *(f"{low + 1:,}-{high:,}" if high > low + 1 else f"{high:,}" for low, high in itertools.pairwise(BATCH_SIZE_BOUNDS)), f"over {BATCH_SIZE_BOUNDS[-1]:,}"]  # fmt: skip
    used = [place for place, number in enumerate(sizes) if number]
    if not used:
        return []
    rows = [
        Row(name, "batch", (f"{number:,}", share(number, total)), 100 * number / max(sizes))
        for name, number in zip(names, sizes, strict=True)
    ]
    return rows[used[0] : used[-1] + 1]


def batch_words(run: Run) -> str:
    """How many micro-batches there were, and why they started when they did; empty where there were none."""
    accounts = run.accounts
    reasons = {reason: n for reason, n in accounts.batches.items() if n}
    total = sum(reasons.values())
    if not total:
        return ""
    why = ", ".join(
        f"{number:,} {_BATCH_WORDS[reason]}"
        for reason, number in sorted(reasons.items(), key=lambda item: -item[1])
    )
    of = f"{count(accounts.batched, 'event')} in {count(total, 'micro-batch', 'micro-batches')}"
    return f"{of}, {rounded(accounts.batched / total, 2)} on average. They started when they did: {why}."


def latency_charts(run: Run) -> Iterator[Chart]:
    """How the latencies are distributed, and how they were over time."""
    counts = run.accounts.e2e.counts()
    if not counts.count:
        return
    marks = [
        (counts.percentile_ns(q), f"p{q} {duration(counts.percentile_ns(q))}") for q in (50, 99)
    ]
    budget = (run.budget_ns, f"deadline {duration(run.budget_ns)}")
    if run.from_event_time:
        marks.append(budget)
    yield histogram(
        counts,
        key="latency",
        title="How long decisions took",
        summary=_distribution_words(run, counts),
        text_of=duration,
        split_ns=run.budget_ns if run.from_event_time else None,
        marks=marks,
    )
    if not run.intervals:
        return
    latencies = [interval.latency for interval in run.intervals]
    if not any(one.count for one in latencies):
        return
    lowest = min(one.percentile_ns(50) for one in latencies if one.count)
    highest = max(one.max_ns for one in latencies)
    if run.from_event_time:
        highest = max(highest, run.budget_ns)
    yield over_time(
        key="latency-over-time",
        title="Latency over time",
        summary="From the event to the acknowledgement of its decision, for the decisions of each interval: "
        "half of them were quicker than the p50, 99% quicker than the p99.",
        y_title="latency (logarithmic)",
        edges_s=run.edges_s,
        series=[
            Series("longest", "max", [one.max_ns if one.count else None for one in latencies]),
            *(
                Series(
                    f"p{q}",
                    f"p{q}",
                    [one.percentile_ns(q) if one.count else None for one in latencies],
                )
                for q in (99, 50)
            ),
        ],
        y=logarithmic(max(lowest, NS_PER_MS / 100), highest),
        text_of=duration,
        marks=[budget] if run.from_event_time else [],
    )


def _distribution_words(run: Run, counts: LatencyCounts) -> str:
    text = f"{counts.count:,} decisions, from the event to the broker's acknowledgement."
    outcomes, over = run.accounts.outcomes, 0
    if run.from_event_time:
        over = counts.count - run.accounts.e2e.cumulative([run.budget_ns])[0]
        text += (
            f" {over:,} of them took longer than {duration(run.budget_ns)}."
            if over
            else (f" None took longer than {duration(run.budget_ns)}.")
        )
    late = outcomes[Outcome.LATE]
    if run.from_event_time and late > over and counts.count == run.in_time + late:
        text += (
            f" The books call {late:,} late: also those that would have been when they left, with the time "
            "that sending usually takes. A decision never promises too much."
        )
    return f"{text} A bar that is not empty is drawn at least one pixel high."


def outcomes_chart(run: Run) -> Chart | None:
    """What became of the events over time; None where there were none."""
    found = [one for one in Outcome if run.accounts.outcomes[one]]
    if not run.intervals or not found:
        return None
    seconds = _seconds(run)
    rates = [i.consumed / s for i, s in zip(run.intervals, seconds, strict=True)]
    return over_time(
        key="outcomes-over-time",
        title="Outcomes over time",
        summary="Events a second that got their outcome, one outcome upon the other: the upper edge is the throughput.",
        y_title="events a second",
        edges_s=run.edges_s,
        series=[
            Series(
                one.word,
                one.word,
                [i.outcome(one) / s for i, s in zip(run.intervals, seconds, strict=True)],
            )
            for one in found
        ],
        y=linear(max(rates)),
        text_of=lambda value: rounded(value, 3),
        stacked=True,
    )


def stages_chart(run: Run) -> Chart | None:
    """The stages' mean times over time; None where nothing passed one."""
    found = [name for name in STAGES if run.accounts.stages[name].count]
    if not run.intervals or not found:
        return None
    means = [interval.stage_mean_ns for interval in run.intervals]
    heights = sorted(sum(mean.values()) for mean in means if mean)
    if not heights:
        return None
    usual, highest = heights[(9 * len(heights) - 1) // 10], heights[-1]
    is_cut = highest > _CUT_FROM * usual > 0
    cut = f" The plot is cut off: the highest reaches {duration(highest)}." if is_cut else ""
    return over_time(
        key="stages-over-time",
        title="Where the time went, over time",
        summary="The mean time of the events in each stage, one stage upon the other. Events that were shed count for "
        f"the stages that they passed.{cut}",
        y_title="mean time",
        edges_s=run.edges_s,
        series=[Series(name, name, [mean.get(name) for mean in means]) for name in found],
        y=linear((2 * usual if is_cut else highest) / NS_PER_MS).times(NS_PER_MS),
        text_of=duration,
        stacked=True,
    )


def nothing_waited(run: Run) -> str:
    """Where nothing was ever seen waiting; empty where something was, or nobody looked."""
    if not run.intervals:
        return ""
    depths = [one.queue_depth for one in run.intervals if one.queue_depth is not None]
    places = []
    if depths and not any(depths):
        places.append("for a batch")
    if not any(one.lag for one in run.intervals):
        places.append("in Kafka")
    return f"At no sample (four a second) anything waited {' or '.join(places)}." if places else ""


def load_charts(run: Run) -> Iterator[Chart]:
    """What waited in the queue and in Kafka; nothing for what never did."""
    if not run.intervals:
        return
    depths = [interval.queue_depth for interval in run.intervals]
    for key, title, summary, values in (
        (
            "queue",
            "Waiting for a batch",
            "The most events in the scheduler's queue at a sample, four a second.",
            depths,
        ),
        (
            "lag",
            "Still in Kafka",
            "The most records that were still to be fetched at a sample, over all partitions.",
            [interval.lag for interval in run.intervals],
        ),
    ):
        known = [value for value in values if value is not None]
        if any(known):
            yield over_time(
                key=key,
                title=title,
                summary=summary,
                y_title="events" if key == "queue" else "records",
                edges_s=run.edges_s,
                series=[Series(key, "load", values)],
                y=linear(max(known), whole=True),
                text_of=lambda value: f"{value:,.0f}",
                stacked=True,
            )


def _seconds(run: Run) -> list[float]:
    return [max(1, i.end_ns - i.start_ns) / NS_PER_S for i in run.intervals]

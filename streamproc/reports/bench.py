"""How fast a model is, as one page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from streamproc.core import VERSION
from streamproc.reports.chart import Chart
from streamproc.reports.over_time import Series
from streamproc.reports.over_values import Setting, over_values
from streamproc.reports.page import templates
from streamproc.reports.quantities import duration, rate
from streamproc.reports.scales import linear

_STYLES = 5
"""Lines that look different; a sixth looks like the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchRun:
    """One scenario on one executor.

    Attributes:
        executor: what ran it.
        scenario: which.
        batch: the largest batch.
        mean_ns: the mean latency of an event.
        p50_ns: half of the events took no longer.
        p99_ns: 99 of 100 took no longer.
        throughput_per_s: events a second.
    """

    executor: str
    scenario: str
    batch: int
    mean_ns: float
    p50_ns: float
    p99_ns: float
    throughput_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchPage:
    """All of them.

    Attributes:
        target: what was measured.
        runs: in the order in which they are shown, one at least.
        facts: how, by name.
    """

    target: str
    runs: Sequence[BenchRun]
    facts: Mapping[str, str]


def render_bench(found: BenchPage) -> str:
    """The page."""
    best = max(found.runs, key=lambda run: run.throughput_per_s)
    return (
        templates()
        .get_template("bench.html.jinja")
        .render(
            found=found,
            version=VERSION,
            headline=(
                f"Most events a second, {rate(best.throughput_per_s)}: {best.executor}, "
                f"{best.scenario}, batches of {best.batch}."
            ),
            charts=list(_charts(found.runs)),
            head=["executor", "scenario", "batch", "mean", "p50", "p99", "events a second"],
            rows=[
                (
                    run.executor,
                    run.scenario,
                    str(run.batch),
                    duration(run.mean_ns),
                    duration(run.p50_ns),
                    duration(run.p99_ns),
                    rate(run.throughput_per_s),
                )
                for run in found.runs
            ],
        )
    )


def _charts(runs: Sequence[BenchRun]) -> Iterator[Chart]:
    for scenario in dict.fromkeys(run.scenario for run in runs):
        some = [run for run in runs if run.scenario == scenario]
        sizes = sorted({run.batch for run in some})
        yield over_values(
            key=scenario,
            title=f"Events a second: {scenario}",
            summary=f"What each executor can do in the scenario {scenario}, by the largest batch.",
            y_title="events a second",
            x=Setting("batch", [str(size) for size in sizes]),
            series=_series(some, sizes),
            y=linear(max(run.throughput_per_s for run in some)),
            text_of=rate,
        )


def _series(runs: Sequence[BenchRun], sizes: Sequence[int]) -> list[Series]:
    lines: dict[str, dict[int, float]] = {}
    for run in runs:
        lines.setdefault(run.executor, {})[run.batch] = run.throughput_per_s
    return [
        Series(name, f"swept{place % _STYLES}", [values.get(size) for size in sizes])
        for place, (name, values) in enumerate(lines.items())
    ]

"""Planners compared in simulation, as one page; the same comparison gives the same bytes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from streamproc.core import NS_PER_MS, VERSION
from streamproc.reports.chart import Chart
from streamproc.reports.over_load import over_load
from streamproc.reports.over_time import Series
from streamproc.reports.page import templates
from streamproc.reports.quantities import duration, rate
from streamproc.reports.scales import linear, logarithmic

_LEAST_NS = NS_PER_MS / 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """One planner at one load.

    Attributes:
        load: the offered rate over the capacity.
        planner: its name, a CSS class.
        events: how many came.
        in_time: how many of them were answered in time.
        late: how many too late.
        shed: how many were given up, by reason.
        goodput_per_s: events in time a second.
        best_per_s: the most of them that could have been, a second.
        p50_ns: half of the decisions took no longer; 0 where there was none.
        p99_ns: 99 percent of them took no longer.
        batch_mean: events a batch.
    """

    load: float
    planner: str
    events: int
    in_time: int
    late: int
    shed: Mapping[str, int]
    goodput_per_s: float
    best_per_s: float
    p50_ns: int
    p99_ns: int
    batch_mean: float

    @property
    def share_of_best(self) -> float:
        """Goodput over the most that could have been; 1 where nothing could."""
        return self.goodput_per_s / self.best_per_s if self.best_per_s else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All of them.

    Attributes:
        pipeline: whose scheduler it is.
        runs: by load, then by planner, in the order in which they are shown.
        best_word: ``optimum`` where the most that could have been is known exactly, else ``upper bound``.
        facts: what was simulated, by name.
    """

    pipeline: str
    runs: Sequence[ComparedRun]
    best_word: str
    facts: Mapping[str, str]


def render_comparison(found: Comparison) -> str:
    """The page."""
    template = templates().get_template("comparison.html.jinja")
    first = found.runs[0]
    mine = [run for run in found.runs if run.planner == first.planner]
    least = min(mine, key=lambda run: run.share_of_best)
    return template.render(
        found=found,
        version=VERSION,
        first=first.planner,
        headline=f"{first.planner} answers {_percent(least.share_of_best)} of the {found.best_word} in time, "
        f"or more, at {_loads(mine)}.",
        charts=list(_charts(found)),
        rows=list(map(_row, found.runs)),
    )


def _charts(found: Comparison) -> Iterator[Chart]:
    loads = sorted({run.load for run in found.runs})
    best = {run.load: run.best_per_s for run in found.runs}
    top = max(best.values())
    bound = Series(found.best_word, "best", [best[load] for load in loads])
    yield over_load(
        key="goodput",
        title="Goodput over load",
        summary=f"Events answered in time, a second, beside the {found.best_word}: what a scheduler could reach "
        "that knows all arrivals beforehand.",
        y_title="in time, events a second",
        loads=loads,
        series=[*_series(found, loads, lambda run: run.goodput_per_s), bound],
        y=linear(top),
        text_of=rate,
    )
    yield over_load(
        key="share",
        title=f"Share of the {found.best_word}",
        summary=f"Goodput over the {found.best_word} of the same arrivals.",
        y_title=f"share of the {found.best_word}",
        loads=loads,
        series=_series(found, loads, lambda run: run.share_of_best),
        y=linear(1.0),
        text_of=_percent,
    )
    slowest = max((run.p99_ns for run in found.runs), default=0)
    if slowest:
        fastest = min(run.p99_ns for run in found.runs if run.p99_ns)
        yield over_load(
            key="latency",
            title="Tail latency over load",
            summary="99% of the decisions took no longer, from arrival to acknowledgement; late ones are among them.",
            y_title="p99 (logarithmic)",
            loads=loads,
            series=_series(found, loads, lambda run: run.p99_ns or None),
            y=logarithmic(max(fastest, _LEAST_NS), slowest),
            text_of=duration,
        )


def _series(
    found: Comparison, loads: Sequence[float], value_of: Callable[[ComparedRun], float | None]
) -> list[Series]:
    """A line for each planner, the first one last, so that it lies above the others."""
    by_place = {(run.planner, run.load): value_of(run) for run in found.runs}
    planners = reversed(list(dict.fromkeys(run.planner for run in found.runs)))
    return [Series(name, name, [by_place.get((name, load)) for load in loads]) for name in planners]


def _row(run: ComparedRun) -> tuple[str, ...]:
    reasons = ", ".join(f"{name} {number:,}" for name, number in run.shed.items())
    return (
        f"{run.load:g}x",
        run.planner,
        f"{run.events:,}",
        rate(run.goodput_per_s),
        _percent(run.share_of_best),
        f"{run.late:,}",
        reasons or "0",
        duration(run.p50_ns) if run.p50_ns else "-",
        duration(run.p99_ns) if run.p99_ns else "-",
        f"{run.batch_mean:.1f}",
    )


def _loads(runs: Sequence[ComparedRun]) -> str:
    loads = sorted(run.load for run in runs)
    return f"{loads[0]:g}x" if len(loads) == 1 else f"loads from {loads[0]:g}x to {loads[-1]:g}x"


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g}%"

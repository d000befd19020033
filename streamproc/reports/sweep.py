"""A recording replayed with several values of a setting, as one page; the same sweep gives the same bytes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
class SweptRun:
    """One replay.

    Attributes:
        values: the settings that vary, by key, as the user wrote them.
        events: how many came.
        in_time: how many of them were answered in time, degraded ones among them.
        degraded: how many of those by a cheaper variant.
        late: how many were answered too late.
        shed: how many were given up, by reason.
        goodput_per_s: events in time a second.
        p99_ns: 99 percent of the decisions took no longer; 0 where there was none.
    """

    values: Mapping[str, str]
    events: int
    in_time: int
    degraded: int
    late: int
    shed: Mapping[str, int]
    goodput_per_s: float
    p99_ns: int

    @property
    def share(self) -> float:
        """The part that was answered in time."""
        return self.in_time / self.events if self.events else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepPage:
    """All of them.

    Attributes:
        pipeline: whose they are.
        runs: in the order in which they are shown; all with the same keys, one at least.
        facts: what was replayed, by name.
    """

    pipeline: str
    runs: Sequence[SweptRun]
    facts: Mapping[str, str]


def render_sweep(found: SweepPage) -> str:
    """The page."""
    keys = list(found.runs[0].values)
    best = max(found.runs, key=lambda run: run.share)
    return (
        templates()
        .get_template("sweep.html.jinja")
        .render(
            found=found,
            version=VERSION,
            headline=f"Most in time, {_percent(best.share)}, with {_named(best)}.",
            charts=list(_charts(found, keys)),
            head=[*keys, "events", "in time", "share", "degraded", "late", "shed", "p99"],
            texts=len(keys),
            rows=[_row(run) for run in found.runs],
        )
    )


def _charts(found: SweepPage, keys: Sequence[str]) -> Iterator[Chart]:
    first = keys[0]
    names = list(dict.fromkeys(run.values[first] for run in found.runs))
    yield over_values(
        key="share",
        title=f"In time, by {first}",
        summary="The part of the events that were answered before their deadline.",
        y_title="part in time",
        x=Setting(first, names),
        series=_series(found, first, names, lambda run: run.share),
        y=linear(1.0),
        text_of=_percent,
    )
    yield over_values(
        key="goodput",
        title=f"Goodput, by {first}",
        summary="Events that were answered before their deadline, a second of the recording.",
        y_title="in time, events a second",
        x=Setting(first, names),
        series=_series(found, first, names, lambda run: run.goodput_per_s),
        y=linear(max(run.goodput_per_s for run in found.runs)),
        text_of=rate,
    )


def _series(
    found: SweepPage, first: str, names: Sequence[str], value_of: Callable[[SweptRun], float]
) -> list[Series]:
    """A line for each setting of the other keys."""
    lines: dict[str, dict[str, float]] = {}
    for run in found.runs:
        others = ", ".join(f"{key} {text}" for key, text in run.values.items() if key != first)
        lines.setdefault(others or found.pipeline, {})[run.values[first]] = value_of(run)
    return [
        Series(name, f"swept{place % _STYLES}", [values.get(at) for at in names])
        for place, (name, values) in enumerate(lines.items())
    ]


def _row(run: SweptRun) -> tuple[str, ...]:
    reasons = ", ".join(f"{name} {number:,}" for name, number in run.shed.items())
    return (
        *run.values.values(),
        f"{run.events:,}",
        f"{run.in_time:,}",
        _percent(run.share),
        f"{run.degraded:,}",
        f"{run.late:,}",
        reasons or "0",
        duration(run.p99_ns) if run.p99_ns else "-",
    )


def _named(run: SweptRun) -> str:
    return ", ".join(f"{key} {text}" for key, text in run.values.items())


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g}%"

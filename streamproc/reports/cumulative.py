"""How long how many took, of several runs in one plot: the share that took no longer."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from streamproc.reports.chart import FULL, Bar, Chart, Format, Shape, Table, Tick
from streamproc.reports.scales import linear, logarithmic
from streamproc.telemetry import LatencyCounts

_PLACES = 120
"""A plot is some 900 pixels wide: a value every eight of them."""
_SHARES = (10, 25, 50, 75, 90, 95, 99, 99.9)


def cumulative(
    counts: Mapping[str, LatencyCounts], *, key: str, title: str, summary: str, text_of: Format
) -> Chart:
    """Lines that rise from 0 to all, on a logarithmic axis.

    Args:
        counts: the values by the run's name, which is its CSS class too; one value at least each.
        key: unique in the page.
        title: what it shows.
        summary: the same in a sentence.
        text_of: a value with its unit.
    """
    firsts = [(one, int(one.cumulative.searchsorted(1))) for one in counts.values()]
    low = min(int(one.edges_ns[max(0, first - 1)]) for one, first in firsts)
    x = logarithmic(low, max(2 * low, *(one.max_ns for one in counts.values())))
    y = linear(1.0)
    at = np.geomspace(x.low, x.high, _PLACES).tolist()
    shares = {name: [_share(one, value) for value in at] for name, one in counts.items()}
    places = [round(FULL * x.at(value)) for value in at]
    return Chart(
        key=key,
        title=title,
        summary=summary,
        x_title="latency (logarithmic)",
        y_title="share of the decisions that took no longer",
        x_ticks=tuple(Tick(100 * x.at(tick), text_of(tick)) for tick in x.ticks),
        y_ticks=tuple(Tick(100 * y.at(tick), f"{100 * tick:.3g}%") for tick in y.ticks),
        shapes=tuple(
            Shape(name, name, _path(places, one), filled=False) for name, one in shares.items()
        ),
        bars=tuple(_hovers(places, at, shares, text_of)),
        table=Table(
            ("percentile", *counts),
            tuple(
                (f"p{q:g}", *(text_of(one.percentile_ns(q)) for one in counts.values()))
                for q in _SHARES
            ),
        ),
    )


def _share(counts: LatencyCounts, value_ns: float) -> float:
    place = int(counts.edges_ns.searchsorted(value_ns, side="right")) - 1
    if value_ns >= counts.max_ns:
        return 1.0
    return int(counts.cumulative[place]) / counts.count if place >= 0 else 0.0


def _path(places: Sequence[int], shares: Sequence[float]) -> str:
    points = (f"{x} {round(FULL * (1 - y))}" for x, y in zip(places, shares, strict=True))
    return "M" + "L".join(points)


def _hovers(
    places: Sequence[int],
    at: Sequence[float],
    shares: Mapping[str, Sequence[float]],
    text_of: Format,
) -> Iterator[Bar]:
    edges = [*places, FULL]
    for number, value in enumerate(at):
        said = ", ".join(f"{name} {100 * one[number]:.1f}%" for name, one in shares.items())
        width = edges[number + 1] - edges[number]
        yield Bar(places[number], width, FULL, "", f"within {text_of(value)}: {said}")

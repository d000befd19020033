"""How long how many took: a histogram on a logarithmic axis."""

from collections.abc import Sequence
from itertools import pairwise

from streamproc.core import Int64Array
from streamproc.reports.chart import FULL, Bar, Chart, Format, Mark, Table, Tick
from streamproc.reports.quantities import share
from streamproc.reports.scales import Scale, linear, logarithmic
from streamproc.telemetry import LatencyCounts

_LEAST = 6
"""A bar that is not empty is at least this high (1 px of 200), or the tail would be invisible."""
_BARS_A_DECADE = 20


def histogram(
    counts: LatencyCounts,
    *,
    key: str,
    title: str,
    summary: str,
    text_of: Format,
    split_ns: int | None,
    marks: Sequence[tuple[int, str]] = (),
) -> Chart:
    """How many values there are of each size, on a logarithmic axis.

    Args:
        counts: the values, one at least.
        key: unique in the page.
        title: what it shows.
        summary: the same in a sentence.
        text_of: a value with its unit.
        split_ns: where a bar must end, with another style behind it; None for none. One of the edges.
        marks: values with a line across, and its label; one row of labels each.
    """
    first = int(counts.cumulative.searchsorted(1))
    low = int(counts.edges_ns[max(0, first - 1)])
    x = logarithmic(low, max(counts.max_ns, 2 * low, *(value for value, _ in marks)))
    bounds = _bounds(counts.edges_ns, x, split_ns)
    place = counts.edges_ns.searchsorted(bounds)
    upto = [0, *counts.cumulative[place][1:-1].tolist(), counts.count]
    sizes = [b - a for a, b in pairwise(upto)]
    y = linear(max(sizes) / counts.count)
    bars, rows = [], []
    for (start, end), size in zip(pairwise(bounds), sizes, strict=True):
        if not size:
            continue
        span = f"{text_of(start)} to {text_of(end)}"
        left, right = (round(FULL * x.at(edge)) for edge in (start, end))
        tall = max(_LEAST, round(FULL * y.at(size / counts.count)))
        style = "over" if split_ns is not None and start >= split_ns else "within"
        part = share(size, counts.count)
        bars.append(Bar(left, max(right - left, 1), tall, style, f"{span}: {size:,} ({part})"))
        rows.append((span, f"{size:,}", part))
    return Chart(
        key=key,
        title=title,
        summary=summary,
        x_title="latency (logarithmic)",
        y_title="share of the decisions",
        x_ticks=tuple(Tick(100 * x.at(tick), text_of(tick)) for tick in x.ticks),
        y_ticks=tuple(Tick(100 * y.at(tick), f"{100 * tick:.3g}%") for tick in y.ticks),
        bars=tuple(bars),
        marks=tuple(
            Mark(100 * x.at(value), text, upright=True, row=row)
            for row, (value, text) in enumerate(marks)
        ),
        table=Table(("latency", "decisions", "share"), tuple(rows)),
    )


def _bounds(edges_ns: Int64Array, x: Scale, split_ns: int | None) -> list[int]:
    """Edges about equally far apart on the axis, the split among them."""
    anchor = split_ns if split_ns is not None else x.low
    ratio = 10 ** (1 / _BARS_A_DECADE)
    wanted = [anchor]
    while wanted[0] > x.low:
        wanted.insert(0, wanted[0] / ratio)
    while wanted[-1] < x.high:
        wanted.append(wanted[-1] * ratio)
    place = edges_ns.searchsorted([round(value) for value in wanted])
    bounds: list[int] = sorted({int(edges_ns[min(p, edges_ns.size - 1)]) for p in place})
    return bounds

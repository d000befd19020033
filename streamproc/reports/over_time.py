"""Lines and areas over the time of a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from streamproc.reports.chart import FULL, Bar, Chart, Format, Mark, Shape, Table, Tick
from streamproc.reports.quantities import time_unit
from streamproc.reports.scales import Scale, within


@dataclass(frozen=True, slots=True)
class Series:
    """One value for each interval, None where there is none; the style is a CSS class."""

    name: str
    style: str
    values: Sequence[float | None]


def over_time(  # noqa: PLR0913 - all by name
    *,
    key: str,
    title: str,
    summary: str,
    y_title: str,
    edges_s: Sequence[float],
    series: Sequence[Series],
    y: Scale,
    text_of: Format,
    stacked: bool = False,
    marks: Sequence[tuple[float, str]] = (),
) -> Chart:
    """Lines, or areas one upon the other, over the time of a run.

    Args:
        key: unique in the page.
        title: what it shows.
        summary: the same in a sentence.
        y_title: what the values are.
        edges_s: where the intervals begin, and the end of the last; seconds, [n + 1].
        series: n values each; the first is at the bottom of a stack.
        y: the scale of the values, or of their sum.
        text_of: a value with its unit.
        stacked: True for areas, in which no value counts as 0.
        marks: values with a line across, and its label.
    """
    end_s = edges_s[-1]
    size_s, unit = time_unit(end_s)
    x = within(end_s / size_s)
    places = [round(FULL * x.at(edge / size_s)) for edge in edges_s]
    spans = [f"{a / size_s:.4g}-{b / size_s:.4g} {unit}" for a, b in pairwise(edges_s)]
    shapes = _areas(places, series, y) if stacked else _lines(places, series, y)
    rows = [
        (span, *(_text(one.values[index], text_of) for one in series))
        for index, span in enumerate(spans)
    ]
    head = (f"time, {unit}", *(one.name for one in series))
    return Chart(
        key=key,
        title=title,
        summary=summary,
        x_title=f"{unit} since the start",
        y_title=y_title,
        x_ticks=tuple(Tick(100 * x.at(tick), f"{tick:.4g}") for tick in x.ticks),
        y_ticks=tuple(Tick(100 * y.at(tick), text_of(tick)) for tick in y.ticks),
        shapes=tuple(shapes),
        bars=tuple(
            Bar(left, right - left, FULL, "", _hover(head[1:], row))
            for (left, right), row in zip(pairwise(places), rows, strict=True)
        ),
        marks=tuple(Mark(100 * y.at(value), text, upright=False) for value, text in marks),
        table=Table(head, tuple(rows)),
    )


def _lines(places: Sequence[int], series: Sequence[Series], y: Scale) -> Iterator[Shape]:
    for one in series:
        known = [
            (left, right, None if value is None else _down(y, value))
            for (left, right), value in zip(pairwise(places), one.values, strict=True)
        ]
        path = [
            _line([(left, right, down) for left, right, down in piece if down is not None])
            for is_known, piece in groupby(known, key=lambda point: point[2] is not None)
            if is_known
        ]
        yield Shape(one.name, one.style, "".join(path), filled=False)


def _line(points: Sequence[tuple[int, int, int]]) -> str:
    """Through the middles of intervals without a gap; an interval alone is a line across it."""
    if len(points) == 1:
        left, right, down = points[0]
        return f"M{left} {down}H{right}"
    return "M" + "L".join(f"{(left + right) // 2} {down}" for left, right, down in points)


def _areas(places: Sequence[int], series: Sequence[Series], y: Scale) -> Iterator[Shape]:
    below = [0.0] * (len(places) - 1)
    for one in series:
        above = [base + (value or 0.0) for base, value in zip(below, one.values, strict=True)]
        forth = "".join(
            f"L{left} {_down(y, top)}H{right}"
            for (left, right), top in zip(pairwise(places), above, strict=True)
        )
        back = "".join(
            f"L{right} {_down(y, bottom)}H{left}"
            for (left, right), bottom in reversed(list(zip(pairwise(places), below, strict=True)))
        )
        yield Shape(one.name, one.style, f"M{forth[1:]}{back}Z", filled=True)
        below = above


def _down(y: Scale, value: float) -> int:
    return round(FULL * (1 - y.at(value)))


def _text(value: float | None, text_of: Format) -> str:
    return "" if value is None else text_of(value)


def _hover(names: Sequence[str], row: Sequence[str]) -> str:
    said = [f"{name} {text}" for name, text in zip(names, row[1:], strict=True) if text]
    return f"{row[0]}: {', '.join(said) or 'nothing'}"

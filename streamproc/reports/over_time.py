"""Lines and areas over the time of a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from streamproc.reports.chart import FULL, Bar, Chart, Format, Mark, Shape, Table, Tick
from streamproc.reports.scales import Scale, within

_MINUTE_S = 60
_HOUR_S = 3_600


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
    size_s, unit = _unit_of_time(end_s)
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


def _unit_of_time(seconds: float) -> tuple[float, str]:
    if seconds <= 3 * _MINUTE_S:
        return 1.0, "seconds"
    if seconds <= 3 * _HOUR_S:
        return float(_MINUTE_S), "minutes"
    return float(_HOUR_S), "hours"


def _lines(places: Sequence[int], series: Sequence[Series], y: Scale) -> Iterator[Shape]:
    middles = [(a + b) // 2 for a, b in pairwise(places)]
    for one in series:
        path: list[str] = []
        pen_down = False
        for across, value in zip(middles, one.values, strict=True):
            if value is None:
                pen_down = False
                continue
            # A point alone is a line of no length: its round end is a dot.
            path.append(
                f"{'L' if pen_down else 'M'}{across} {_down(y, value)}{'' if pen_down else 'h0'}"
            )
            pen_down = True
        yield Shape(one.name, one.style, "".join(path), filled=False)


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

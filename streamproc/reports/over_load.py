"""Lines over the load: one value for each load that was tried."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from streamproc.reports.chart import FULL, Bar, Chart, Format, Shape, Table, Tick
from streamproc.reports.over_time import Series
from streamproc.reports.scales import Scale, linear


def over_load(
    *,
    key: str,
    title: str,
    summary: str,
    y_title: str,
    loads: Sequence[float],
    series: Sequence[Series],
    y: Scale,
    text_of: Format,
) -> Chart:
    """Lines over the load.

    Args:
        key: unique in the page.
        title: what it shows.
        summary: the same in a sentence.
        y_title: what the values are.
        loads: multiples of the capacity, ascending.
        series: a value for each load; the first is drawn first, and is under the others.
        y: the scale of the values.
        text_of: a value with its unit.
    """
    x = linear(max(loads), ticks_max=7)
    places = [round(FULL * x.at(load)) for load in loads]
    names = [f"{load:g}x" for load in loads]
    rows = tuple(
        (name, *("" if one.values[at] is None else text_of(one.values[at] or 0) for one in series))
        for at, name in enumerate(names)
    )
    return Chart(
        key=key,
        title=title,
        summary=summary,
        x_title="load: offered rate over the capacity",
        y_title=y_title,
        x_ticks=tuple(Tick(100 * x.at(tick), f"{tick:g}x") for tick in x.ticks),
        y_ticks=tuple(Tick(100 * y.at(tick), text_of(tick)) for tick in y.ticks),
        shapes=tuple(line_of(places, one, y) for one in series),
        bars=tuple(hovers(places, [one.name for one in series], rows)),
        table=Table(("load", *(one.name for one in series)), rows),
    )


def line_of(places: Sequence[int], one: Series, y: Scale) -> Shape:
    """A line through values at places in thousandths."""
    points = [
        f"{across} {round(FULL * (1 - y.at(value)))}"
        for across, value in zip(places, one.values, strict=True)
        if value is not None
    ]
    # A point alone is a line of no length: its round end is a dot.
    return Shape(one.name, one.style, f"M{'L'.join(points)}h0" if points else "", filled=False)


def hovers(
    places: Sequence[int], names: Sequence[str], rows: Sequence[tuple[str, ...]]
) -> Iterator[Bar]:
    """What the values around each load are."""
    middles = [(left + right) // 2 for left, right in pairwise(places)]
    edges = [0, *middles, FULL]
    for (left, right), row in zip(pairwise(edges), rows, strict=True):
        said = ", ".join(
            f"{name} {text}" for name, text in zip(names, row[1:], strict=True) if text
        )
        yield Bar(left, right - left, FULL, "", f"{row[0]}: {said or 'nothing'}")

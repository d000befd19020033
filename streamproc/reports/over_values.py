"""Lines over values of a setting: one place for each value that was tried, evenly spaced, as the user wrote them."""

from collections.abc import Sequence
from typing import NamedTuple

from streamproc.reports.chart import FULL, Chart, Format, Table, Tick
from streamproc.reports.over_load import hovers, line_of
from streamproc.reports.over_time import Series
from streamproc.reports.scales import Scale

_MARGIN = 40
"""Of a thousand, left and right of the first and last value."""


class Setting(NamedTuple):
    """What was varied.

    Attributes:
        name: its name.
        values: its values in their order, as the user wrote them.
    """

    name: str
    values: Sequence[str]


def over_values(
    *,
    key: str,
    title: str,
    summary: str,
    y_title: str,
    x: Setting,
    series: Sequence[Series],
    y: Scale,
    text_of: Format,
) -> Chart:
    """Lines over the values of a setting.

    Args:
        key: unique in the page.
        title: what it shows.
        summary: the same in a sentence.
        y_title: what the values are.
        x: the setting.
        series: a value for each of them; the first is drawn first, and is under the others.
        y: the scale of the values.
        text_of: a value with its unit.
    """
    names = x.values
    steps = max(1, len(names) - 1)
    room = FULL - 2 * _MARGIN
    places = [_MARGIN + room * at // steps for at in range(len(names))]
    if len(names) == 1:
        places = [FULL // 2]
    rows = tuple(
        (name, *("" if one.values[at] is None else text_of(one.values[at] or 0) for one in series))
        for at, name in enumerate(names)
    )
    return Chart(
        key=key,
        title=title,
        summary=summary,
        x_title=x.name,
        y_title=y_title,
        x_ticks=tuple(
            Tick(100 * place / FULL, name) for place, name in zip(places, names, strict=True)
        ),
        y_ticks=tuple(Tick(100 * y.at(tick), text_of(tick)) for tick in y.ticks),
        shapes=tuple(line_of(places, one, y) for one in series),
        bars=tuple(hovers(places, [one.name for one in series], rows)),
        table=Table((x.name, *(one.name for one in series)), rows),
    )

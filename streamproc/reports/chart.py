"""A chart as geometry: what the template draws as SVG, with its labels as text around it.

Hand-made, since three kinds of chart are all that a report needs: matplotlib or plotly would be tens of
megabytes beside streamproc, and plotly some megabytes of script in every page. Places are in thousandths
of the plot's width and height, so that it stretches with the page while its text keeps its size.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

Format: TypeAlias = Callable[[float], str]
"""Writes a value with its unit."""

FULL = 1_000
"""The width and height of a plot."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A label of an axis, at a place in percent."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Shape:
    """A line or an area, as an SVG path; its style is the CSS class that gives colour and pattern."""

    name: str
    style: str
    path: str
    filled: bool


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle with a text that shows on hovering; an empty style is seen only then."""

    left: int
    width: int
    height: int
    style: str
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled line across the plot, at a place in percent.

    Attributes:
        at: where.
        text: what it says.
        upright: True for a value of the x axis.
        row: which row of labels above the plot is its own, from 0.
    """

    at: float
    text: str
    upright: bool
    row: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """The same as numbers, for those who do not see the plot or want to copy it."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One plot with all that stands around it.

    Attributes:
        key: unique in the page.
        title: what it shows.
        summary: the same in a sentence.
        x_title: what the x axis counts.
        y_title: what the y axis counts.
        x_ticks: its labels.
        y_ticks: its labels.
        shapes: lines and areas, the first at the bottom.
        bars: rectangles.
        marks: labelled lines.
        table: the numbers.
    """

    key: str
    title: str
    summary: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    shapes: tuple[Shape, ...] = ()
    bars: tuple[Bar, ...] = ()
    marks: tuple[Mark, ...] = ()
    table: Table

    @property
    def mark_rows(self) -> int:
        """Rows of labels above the plot."""
        return max((mark.row + 1 for mark in self.marks if mark.upright), default=0)

"""A flame graph: what Python did, as a picture of its call stacks (https://www.brendangregg.com/flamegraphs.html).

A frame's width is its share of the samples, what it called stands above it; hovering tells what does not fit. It needs no
script, so it lives under the strictest policy of a page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from streamproc.reports.stacks import Frame

WIDTH: Final = 1200
ROW: Final = 18
_LETTER: Final = 6.6
"""Width of a letter of 11 px monospace, in the picture's units."""
_NARROWEST: Final = 1.0
"""A frame that is narrower is left out: less than a thousandth of the samples."""
_DEEPEST: Final = 80
_COLORS: Final = 6


@dataclass(frozen=True, slots=True)
class Box:
    """A frame of the picture.

    Attributes:
        x: its left edge.
        y: its upper edge.
        width: of it.
        style: its CSS class.
        text: what fits into it.
        title: all of it.
    """

    x: float
    y: int
    width: float
    style: str
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class Flame:
    """The picture."""

    boxes: list[Box]
    height: int


def flame_graph(root: Frame) -> Flame:
    """Lay a tree of calls out, the outermost at the bottom; the same tree gives the same picture."""
    placed = list(_placed(root, 0.0, 0, WIDTH / max(1, root.samples), root.samples))
    rows = 1 + max((depth for depth, *_ in placed), default=0)
    boxes = [
        Box(round(x, 2), (rows - 1 - depth) * ROW, round(width, 2), *rest)
        for depth, x, width, *rest in placed
    ]
    return Flame(boxes, rows * ROW)


def _placed(
    frame: Frame, x: float, depth: int, scale: float, whole: int
) -> Iterator[tuple[int, float, float, str, str, str]]:
    width = frame.samples * scale
    if width < _NARROWEST or depth > _DEEPEST:
        return
    letters = int((width - 4) / _LETTER)
    short = frame.name.partition(" (")[0]
    text = short if len(short) <= letters else f"{short[: letters - 1]}…" if letters > 3 else ""  # noqa: PLR2004
    title = f"{frame.name}: {frame.samples:,} samples, {frame.samples / max(1, whole):.1%}"
    color = sum(_where(frame.name).encode()) % _COLORS
    yield depth, x, width, f"f{color}", text, title
    for called in sorted(frame.calls.values(), key=lambda one: one.name):
        yield from _placed(called, x, depth + 1, scale, whole)
        x += called.samples * scale


def _where(name: str) -> str:
    """The file of a frame: neighbours in the code look alike."""
    return name.rpartition(" (")[2].partition(":")[0]

"""Two captures joined by where their events came from: a merge of two sorted streams."""

import heapq
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from streamproc.replay.coordinates import Coordinates
from streamproc.replay.diff.ended import EndedEvent, Side
from streamproc.replay.diff.sorted_events import SortedEvents
from streamproc.replay.diff.tally import Change, Difference, Tally
from streamproc.replay.diff.tolerances import Tolerances

_Pair = tuple[EndedEvent | None, EndedEvent | None]


def difference(
    baseline: Side,
    candidate: Side,
    *,
    tolerances: Tolerances | None = None,
    label: str = "label",
    told: Callable[[Change], None] = lambda change: None,  # noqa: ARG005 - a sink that drops
) -> Difference:
    """Compare two captures.

    Both are sorted on disk first (``SortedEvents``), so memory does not grow with them.

    Args:
        baseline: how it was.
        candidate: how it would be.
        tolerances: by how much numbers may differ; exact by default.
        label: where in the output the label is.
        told: is told each event that differs, in the order of their coordinates.

    Raises:
        ExternalError: a capture cannot be read, or there is no room to sort it.
    """
    tally = Tally(baseline, candidate, tolerances=tolerances or Tolerances(), label=label)
    with tempfile.TemporaryDirectory(prefix="streamproc-diff-") as folder:
        at = Path(folder)
        with (
            SortedEvents(baseline.told, at, "baseline") as old,
            SortedEvents(candidate.told, at, "candidate") as new,
        ):
            tally.found.baseline.repeats, tally.found.candidate.repeats = old.repeats, new.repeats
            for pair in _joined(old, new):
                for change in tally.add(*pair):
                    told(change)
    return tally.found


def _joined(old: Iterable[EndedEvent], new: Iterable[EndedEvent]) -> Iterator[_Pair]:
    """Each event once, with what either side tells of it."""
    merged = heapq.merge(_named(old, 0), _named(new, 1), key=itemgetter(0, 1))
    for _, same in groupby(merged, key=itemgetter(0)):
        by_side = {side: event for _, side, event in same}
        yield by_side.get(0), by_side.get(1)


def _named(
    events: Iterable[EndedEvent], side: int
) -> Iterator[tuple[Coordinates, int, EndedEvent]]:
    for event in events:
        yield event.coordinates, side, event

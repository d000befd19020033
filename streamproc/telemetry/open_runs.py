"""Micro-batches whose events have not all come to their end: which of them are traced."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from streamproc.telemetry.journey import BatchSpan
from streamproc.telemetry.passage import BatchRun
from streamproc.telemetry.sampling import Parent

LINKS_MAX: Final = 128
"""OpenTelemetry's limit for a span (https://opentelemetry.io/docs/specs/otel/trace/sdk/#span-limits)."""
OPEN_MAX: Final = 256
"""Runs that are kept open: one whose events are handed back never ends."""
_TOLD_KEPT: Final = 4_096


class OpenRuns:
    """Gathers the traced events of each run, and tells of it once, when all of its events have ended.

    Args:
        tell: takes what is told.
        ids: the ids of a run's span, by its number and the instant of its start.
    """

    def __init__(
        self, tell: Callable[[BatchSpan], None], ids: Callable[[int, int], Parent]
    ) -> None:
        self._tell = tell
        self._ids = ids
        self._open: OrderedDict[int, tuple[BatchRun, list[Parent]]] = OrderedDict()
        self._left: dict[int, int] = {}
        self._told: OrderedDict[int, None] = OrderedDict()

    def ended(self, run: BatchRun, count: int, spans: Sequence[Parent]) -> None:
        """So many events of a run have come to their end.

        Args:
            run: the run.
            count: how many.
            spans: those of them that are traced.
        """
        left = self._left.pop(run.number, run.size) - count
        if spans:
            self._open.setdefault(run.number, (run, []))[1].extend(spans)
        if left > 0:
            self._left[run.number] = left
            if len(self._left) > OPEN_MAX:
                oldest = next(iter(self._left))
                del self._left[oldest]
                self._close(oldest)
            return
        self._close(run.number)

    def later(self, run: BatchRun, span: Parent) -> None:
        """An event of a run is traced after all; its run is told of, unless it was."""
        if run.number in self._left:
            self.ended(run, 0, [span])
        elif run.number not in self._told:
            self._open[run.number] = (run, [span])
            self._close(run.number)

    def close(self) -> None:
        """Tell of all that are open."""
        for number in list(self._open):
            self._close(number)

    def _close(self, number: int) -> None:
        found = self._open.pop(number, None)
        if found is None:
            return
        run, spans = found
        self._tell(BatchSpan(self._ids(number, run.planned_ns), run, tuple(spans[:LINKS_MAX])))
        self._told[number] = None
        if len(self._told) > _TOLD_KEPT:
            self._told.popitem(last=False)

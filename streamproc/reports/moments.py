"""When it went wrong: whether what missed its deadline did so at once, or all the time."""

from collections.abc import Iterator, Sequence

from streamproc.core import Outcome
from streamproc.reports.quantities import count, duration, time_unit
from streamproc.reports.run import Run
from streamproc.reports.words import STAGE_WORDS
from streamproc.telemetry import Interval, Stage

_MOST = 2 / 3
_SHORT = 1 / 4
"""Two thirds of the misses within a quarter of the time have one cause; else they are spread."""
_ENOUGH = 10
"""Of fewer intervals, or fewer misses, nothing can be said."""


def when_it_went_wrong(run: Run) -> Iterator[str]:
    """The moment in which most of the misses fell; nothing where there is no such moment."""
    missed = [one.outcome(Outcome.LATE) + one.outcome(Outcome.SHED) for one in run.intervals]
    total = sum(missed)
    if len(missed) < _ENOUGH or total < _ENOUGH:
        return
    edges_s = run.edges_s
    begin, end = _shortest(missed, _MOST * total, edges_s)
    if edges_s[end] - edges_s[begin] > _SHORT * edges_s[-1]:
        return
    size_s, unit = time_unit(edges_s[-1])
    text = (
        f"{sum(missed[begin:end]):,} of the {count(total, 'event')} that were late or shed fell between "
        f"{edges_s[begin] / size_s:.3g} and {edges_s[end] / size_s:.3g} {unit} after the start"
    )
    worst = _worst(run.intervals[begin:end])
    if worst is None:
        yield f"{text}."
        return
    stage, mean_ns = worst
    yield f"{text}: there, an event spent up to {duration(mean_ns)} on average {STAGE_WORDS[stage]}."


def _shortest(sizes: Sequence[int], wanted: float, edges_s: Sequence[float]) -> tuple[int, int]:
    """The shortest stretch [begin, end) in which at least so many lie; the first of equals."""
    best = (0, len(sizes))
    begin = inside = 0
    for end, size in enumerate(sizes, start=1):
        inside += size
        while inside - sizes[begin] >= wanted:
            inside -= sizes[begin]
            begin += 1
        if inside >= wanted and edges_s[end] - edges_s[begin] < edges_s[best[1]] - edges_s[best[0]]:
            best = (begin, end)
    return best


def _worst(intervals: Sequence[Interval]) -> tuple[Stage, float] | None:
    """The stage with the longest mean time in one of the intervals, and that time, ns."""
    means = [item for one in intervals for item in one.stage_mean_ns.items()]
    return max(means, key=lambda item: item[1], default=None)

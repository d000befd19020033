"""What two runs of the same traffic differ in, as one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streamproc.core import VERSION, Outcome
from streamproc.reports.chart import Chart
from streamproc.reports.cumulative import cumulative
from streamproc.reports.page import templates
from streamproc.reports.quantities import count, duration, share
from streamproc.reports.words import OUTCOME_WORDS
from streamproc.telemetry import LatencyCounts

_PERCENTILES = (50, 90, 99, 99.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedSide:
    """One of the runs.

    Attributes:
        file: where it was recorded.
        outcomes: events by the word of their outcome.
        latency: how long its decisions took, from the event to the acknowledgement.
        facts: what made it, by name.
        notes: what must be known to read its figures.
    """

    file: str
    outcomes: Mapping[str, int]
    latency: LatencyCounts
    facts: Mapping[str, str]
    notes: Sequence[str] = ()

    @property
    def events(self) -> int:
        """How many events it knows."""
        return sum(self.outcomes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedBound:
    """One way of differing beside what is allowed, in words.

    Attributes:
        name: which.
        cells: events, their share, the interval, the noise and the bound.
        is_bounded: False where nothing was declared for it.
        is_ok: False where it is more than that.
    """

    name: str
    cells: Sequence[str]
    is_bounded: bool
    is_ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDifference:
    """All that the page tells.

    Attributes:
        pipeline: whose runs they are.
        is_ok: False where more differs than is allowed.
        headline: the verdict in a sentence.
        baseline: how it was.
        candidate: how it would be.
        bounds: the ways of differing.
        moved: events by the outcomes that they have, the baseline's first; those that differ.
        fields: what the decisions say differently: name, changed, within the tolerance, largest difference.
        changes: some of the events that differ: id, in which way, and what.
        changes_left_out: how many more there are.
    """

    pipeline: str
    is_ok: bool
    headline: str
    baseline: ReportedSide
    candidate: ReportedSide
    bounds: Sequence[ReportedBound]
    moved: Mapping[tuple[str, str], int]
    fields: Sequence[tuple[str, ...]]
    changes: Sequence[tuple[str, str, str]]
    changes_left_out: int


def render_difference(found: ReportedDifference) -> str:
    """The page. All texts are escaped: ids, labels and facts are somebody's input."""
    return (
        templates()
        .get_template("difference.html.jinja")
        .render(
            found=found,
            version=VERSION,
            outcome_rows=_outcome_rows(found),
            moved_rows=[
                (f"{old} → {new}", f"{number:,}")
                for (old, new), number in sorted(found.moved.items(), key=lambda one: -one[1])
            ],
            chart=_latency(found),
            latency_rows=_latency_rows(found),
            facts=_facts(found),
            left_out=count(found.changes_left_out, "more event") if found.changes_left_out else "",
        )
    )


def _outcome_rows(found: ReportedDifference) -> list[tuple[str, str, str, str, str, str]]:
    """Word, how many and which share of both sides, and what it means."""
    sides = (found.baseline, found.candidate)
    rows = []
    for outcome in Outcome:
        numbers = [side.outcomes.get(outcome.word, 0) for side in sides]
        if any(numbers):
            cells = [
                text
                for number, side in zip(numbers, sides, strict=True)
                for text in (f"{number:,}", share(number, side.events))
            ]
            rows.append((outcome.word, *cells, OUTCOME_WORDS[outcome]))
    return rows  # type: ignore[return-value]  # mypy does not count what is spread


def _latency(found: ReportedDifference) -> Chart | None:
    counts = {"baseline": found.baseline.latency, "candidate": found.candidate.latency}
    if not all(one.count for one in counts.values()):
        return None
    return cumulative(
        counts,
        key="latency",
        title="Latency side by side",
        summary="The share of the decisions that took no longer, from the event to the acknowledgement.",
        text_of=duration,
    )


def _latency_rows(found: ReportedDifference) -> list[tuple[str, str, str]]:
    sides = (found.baseline.latency, found.candidate.latency)
    return [
        (f"p{q:g}", *(duration(one.percentile_ns(q)) if one.count else "-" for one in sides))  # type: ignore[misc]
        for q in _PERCENTILES
    ]


def _facts(found: ReportedDifference) -> list[tuple[str, str, str]]:
    old, new = ({"file": side.file, **side.facts} for side in (found.baseline, found.candidate))
    return [(name, old.get(name, "-"), new.get(name, "-")) for name in {**old, **new}]

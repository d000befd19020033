"""What a comparison came to: for people, for programs, and for the report."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from streamproc.cli.screen import line, table
from streamproc.core import Outcome
from streamproc.replay.diff import Change, Difference, FieldChange, Finding, Kind, SideTally
from streamproc.reports import (
    ReportedBound,
    ReportedDifference,
    ReportedSide,
    share,
)
from streamproc.telemetry import LatencyCounts

_LINES = 10
_PAGE_ROWS = 100
_FIELDS = 12
_PERCENTILES = {"p50": 50, "p90": 90, "p99": 99, "p999": 99.9, "max": 100}
_NAMES = {
    "missing": "missing in the candidate",
    "extra": "extra in the candidate",
    "changed": "decisions changed",
    "flips": "labels flipped",
    "outcomes": "outcomes changed",
    "compared": "decided by both",
}


def headline(found: Difference, findings: Sequence[Finding]) -> str:
    """The verdict in a sentence."""
    compared = f"{found.compared:,} events were decided by both"
    broken = [one for one in findings if not one.is_ok]
    if not broken:
        said = (
            "all say the same"
            if not found.changed
            else f"{found.changed:,} say something else, within the bounds"
        )
        return f"{compared}: {said}."
    worst = "; ".join(f"{_NAMES[one.name]}: {one.part:,} of {one.whole:,}" for one in broken)
    return f"{compared}. Out of bounds: {worst}."


def show(
    console: Console,
    found: Difference,
    findings: Sequence[Finding],
    changes: Sequence[Change],
    left_out: int,
) -> None:
    """Tables for people."""
    is_ok = all(one.is_ok for one in findings)
    line(console, headline(found, findings), "bold green" if is_ok else "bold red")
    for side in (found.baseline, found.candidate):
        for gap in side.side.gaps:
            line(console, f"{side.side.name}: {gap}", "yellow")
    rows = table("what differs", "events", "of", "share", "95%", "noise", "bound", "")
    for one in findings:
        rows.add_row(_NAMES[one.name], *_cells(one), _mark(one))
    console.print(rows)
    ends = table("outcome", "baseline", "share", "candidate", "share", "")
    for outcome in Outcome:
        numbers = [side.outcomes[outcome.word] for side in (found.baseline, found.candidate)]
        if any(numbers):
            cells = zip(numbers, (found.baseline, found.candidate), strict=True)
            ends.add_row(
                outcome.word,
                *(text for n, side in cells for text in (f"{n:,}", share(n, side.events))),
                "",
            )
    console.print(ends)
    _show_latency(console, found)
    moved = [(n, pair) for pair, n in found.moved.items() if pair[0] != pair[1]]
    for number, (old, new) in sorted(moved, reverse=True):
        line(console, f"{old} -> {new}: {number:,}")
    for row in _field_rows(found)[:_FIELDS]:
        line(console, "{}: {} changed, {} within the tolerance, differ by at most {}".format(*row))
    for change in changes[:_LINES]:
        line(console, f"{change.id}: {change.kind}: {words(change)}")
    more = left_out + max(0, len(changes) - _LINES)
    if more:
        line(console, f"... and {more:,} more: --changes F.jsonl writes them all")


def words(change: Change) -> str:
    """What an event's difference is."""
    old, new = (
        f"{word} ({reason})" if reason else word
        for word, reason in zip(change.outcomes, change.reasons, strict=True)
    )
    match change.kind:
        case Kind.MISSING:
            return f"{old} in the baseline"
        case Kind.EXTRA:
            return f"{new} in the candidate"
        case Kind.OUTCOME:
            return f"{old} -> {new}"
        case Kind.CHANGED:
            return "; ".join(map(_field_words, change.fields))


def change_as_json(change: Change) -> dict[str, Any]:
    """An event that differs, for programs."""
    return {
        "kind": change.kind.value,
        "id": change.id,
        "outcome": {
            "baseline": change.outcomes[0] or None,
            "candidate": change.outcomes[1] or None,
        },
        "reason": {"baseline": change.reasons[0] or None, "candidate": change.reasons[1] or None},
        "flipped": change.has_flipped,
        "fields": [
            {
                "path": one.place,
                "baseline": one.baseline,
                "candidate": one.candidate,
                "difference": one.difference,
            }
            for one in change.fields
        ],
    }


def as_json(
    found: Difference, findings: Sequence[Finding], changes: Sequence[Change], left_out: int
) -> dict[str, Any]:
    """The one object."""
    return {
        "same": all(one.is_ok for one in findings),
        "baseline": _side_as_json(found.baseline),
        "candidate": _side_as_json(found.candidate),
        "joined": found.joined,
        "compared": found.compared,
        "bounds": {
            one.name: {
                "events": one.part,
                "of": one.whole,
                "share": one.part / one.whole if one.whole else None,
                "interval": list(one.interval),
                "noise": one.noise,
                "bound": None if one.bound is None else str(one.bound),
                "ok": one.is_ok,
            }
            for one in findings
        },
        "outcomes": {f"{old}->{new}": number for (old, new), number in sorted(found.moved.items())},
        "fields": {
            path: {
                "changed": one.changed,
                "within": one.within,
                "difference_max": one.difference_max,
            }
            for path, one in sorted(found.fields.items())
        },
        "flips": {f"{old}->{new}": number for (old, new), number in found.flipped.most_common()},
        "changes": [change_as_json(one) for one in changes],
        "changes_left_out": left_out,
    }


def page(
    pipeline: str,
    found: Difference,
    findings: Sequence[Finding],
    changes: Sequence[Change],
    left_out: int,
) -> ReportedDifference:
    """What the report shows."""
    return ReportedDifference(
        pipeline=pipeline,
        is_ok=all(one.is_ok for one in findings),
        headline=headline(found, findings),
        baseline=_reported(found.baseline),
        candidate=_reported(found.candidate),
        bounds=[
            ReportedBound(
                name=_NAMES[one.name],
                cells=_cells(one),
                is_bounded=one.bound is not None,
                is_ok=one.is_ok,
            )
            for one in findings
        ],
        moved={pair: n for pair, n in found.moved.items() if pair[0] != pair[1]},
        fields=_field_rows(found),
        changes=[(one.id, one.kind.value, words(one)) for one in changes[:_PAGE_ROWS]],
        changes_left_out=left_out + max(0, len(changes) - _PAGE_ROWS),
    )


def _show_latency(console: Console, found: Difference) -> None:
    sides = {"baseline": found.baseline.latency, "candidate": found.candidate.latency}
    if not any(one.count for one in sides.values()):
        return
    rows = table("latency ms", "p50", "p90", "p99", "p99.9", "max", "")
    for name, counts in sides.items():
        cells = [f"{ms:.2f}" for ms in _percentiles_ms(counts).values()] or ["-"] * 5
        rows.add_row(name, *cells, "")
    console.print(rows)


def _percentiles_ms(counts: LatencyCounts) -> dict[str, float]:
    if not counts.count:
        return {}
    return {name: counts.percentile_ns(q) / 1e6 for name, q in _PERCENTILES.items()}


def _cells(one: Finding) -> list[str]:
    if one.name == "compared":
        return [
            f"{one.part:,}",
            f"{one.whole:,}",
            share(one.part, one.whole),
            "",
            "",
            f"at least {one.bound}",
        ]
    return [
        f"{one.part:,}",
        f"{one.whole:,}",
        share(one.part, one.whole),
        f"{100 * one.interval.low:.3g}% to {100 * one.interval.high:.3g}%" if one.whole else "",
        "" if one.noise is None else f"{100 * one.noise:.3g}%",
        "-" if one.bound is None else str(one.bound),
    ]


def _mark(one: Finding) -> str:
    if one.bound is None:
        return ""
    return "ok" if one.is_ok else "BROKEN"


def _field_rows(found: Difference) -> list[tuple[str, str, str, str]]:
    most = sorted(found.fields.items(), key=lambda item: (-item[1].changed, item[0]))
    return [
        (path, f"{one.changed:,}", f"{one.within:,}", f"{one.difference_max:.4g}")
        for path, one in most
    ]


def _field_words(one: FieldChange) -> str:
    if one.difference is None:
        return f"{one.place}: {one.baseline} -> {one.candidate}"
    return f"{one.place}: {one.baseline} -> {one.candidate} ({one.difference:.3g})"


def _side_as_json(side: SideTally) -> dict[str, Any]:
    return {
        "file": side.side.name,
        "events": side.events,
        "outcomes": {one.word: side.outcomes[one.word] for one in Outcome},
        "reasons": dict(sorted(side.reasons.items())),
        "repeats": side.repeats,
        "latency_ms": _percentiles_ms(side.latency),
        "facts": dict(side.side.facts),
        "gaps": list(side.side.gaps),
    }


def _reported(side: SideTally) -> ReportedSide:
    repeats = [f"{side.repeats:,} events ended again, such as after a crash; the last end counts"]
    return ReportedSide(
        file=side.side.name,
        outcomes=side.outcomes,
        latency=side.latency,
        facts=side.side.facts,
        notes=[*side.side.gaps, *(repeats if side.repeats else [])],
    )

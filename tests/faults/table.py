"""The table of faults in ``docs/reliability.md``: what a run found, written between two marks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.faults.run import Result

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN = "<!-- made by `make faults`: begin -->"
END = "<!-- made by `make faults`: end -->"
_HEAD = ("scenario", "fault", "promise", "result")


def table(results: Sequence[Result]) -> str:
    """Markdown, a row a scenario."""
    return _lines(_rows(results))


def write_table(
    results: Sequence[Result], note: str, document: Path = DOCUMENT, *, whole: bool = False
) -> None:
    """Put the rows into the document.

    Args:
        results: what was played.
        note: what run this is, for the line under the table.
        document: where the marks are.
        whole: True where this is every scenario; else the rows of those that were not played stay.

    Raises:
        ValueError: the document has no marks.
    """
    text = document.read_text()
    before, begin, rest = text.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not begin or not end:
        msg = f"{document}: the marks {BEGIN} and {END} are missing"
        raise ValueError(msg)
    kept = () if whole else (row for row in old.splitlines()[3:] if row.startswith("| `"))
    rows = {row.split("|")[1].strip(" `"): row for row in kept}
    rows.update(_rows(results))
    said = f"One run of all {len(rows)} scenarios" if whole else "From several runs, the last one"
    document.write_text(f"{before}{BEGIN}\n{_lines(rows)}\n\n{said}: {note}.\n{END}{after}")


def _lines(rows: Mapping[str, str]) -> str:
    head = f"| {' | '.join(_HEAD)} |\n|{'---|' * len(_HEAD)}"
    return "\n".join((head, *rows.values()))


def _rows(results: Sequence[Result]) -> dict[str, str]:
    """By the scenario's name; one that was played with several seeds has one row."""
    by_name: dict[str, list[Result]] = {}
    for result in results:
        by_name.setdefault(result.scenario.name, []).append(result)
    return {name: _row(group) for name, group in by_name.items()}


def _row(group: Sequence[Result]) -> str:
    scenario = group[0].scenario
    what = _of_one(group[0]) if len(group) == 1 else _of_several(group)
    cells = (f"`{scenario.name}`", scenario.fault, scenario.promise, what)
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def _of_one(result: Result) -> str:
    verdict = result.said if result.passed else f"**not kept**: {result.said}"
    return f"{verdict} (seed {result.seed})"


def _of_several(group: Sequence[Result]) -> str:
    failed = [str(result.seed) for result in group if not result.passed]
    audits = [found for result in group for found in result.audits]
    seeds = f"seeds {group[0].seed} to {group[-1].seed}: {len(group) - len(failed)} of {len(group)} kept"
    figures = (
        f"{sum(a.events for a in audits):,} events: {sum(a.missing for a in audits)} missing, "
        f"{sum(a.repeats for a in audits):,} repeats"
    )
    return f"{seeds}; {figures}" + (f"; **not kept** with {', '.join(failed)}" if failed else "")

"""``streamproc scenario``: recordings with loads and faults, held against what is asserted of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED
from streamproc.cli.screen import line, notes_console, print_json, result_console, table
from streamproc.config import read_document
from streamproc.core import ExternalError
from streamproc.replay.scenario import Scenario, ScenarioResult, run_scenario


def scenario(
    files: Annotated[list[Path], typer.Argument(metavar="FILE.yaml...", help="The scenarios.")],
    update: Annotated[
        bool, typer.Option("--update", help="Write their golden files anew, of what comes now.")
    ] = False,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.ERROR,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Play scenarios on the virtual clock; exit 1 when something that they assert is violated."""
    results = []
    for path in files:
        asked = read_document(path, Scenario)
        result = run_scenario(asked, path.parent, compare=not update)
        if update and asked.assert_.golden is not None:
            _write(path.parent / asked.assert_.golden, result)
        results.append(result)
        _show(result_console(as_json=json), path, result)
    if json:
        print_json(_as_json(files, results))
    return DONE if all(result.is_ok for result in results) else FAILED


def _write(path: Path, result: ScenarioResult) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(result.golden.text(), encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {path}: {error.strerror or error}"
        raise ExternalError(msg) from error
    line(notes_console(), f"written: {path}")


def _show(console: Console, path: Path, result: ScenarioResult) -> None:
    """A line for the scenario and one for each thing that it asserts."""
    word, style = ("holds", "bold green") if result.is_ok else ("VIOLATED", "bold red")
    consumed, seconds = result.replayed.accounts.consumed, result.replayed.duration_s
    line(
        console,
        f"{result.scenario.name}: {word} ({path}, {consumed:,} events, {seconds:.1f} s)",
        style,
    )
    if result.verdicts:
        rows = table("assert", "came", "wanted", "")
        for one in result.verdicts:
            rows.add_row(one.name, one.observed, one.wanted, "ok" if one.is_ok else "VIOLATED")
        console.print(rows)
    for note in result.notes:
        line(console, note, "yellow")


def _as_json(files: Sequence[Path], results: Sequence[ScenarioResult]) -> dict[str, Any]:
    return {
        "ok": all(result.is_ok for result in results),
        "scenarios": [
            {
                "file": str(path),
                "name": result.scenario.name,
                "ok": result.is_ok,
                "assert": [
                    {"name": v.name, "observed": v.observed, "wanted": v.wanted, "ok": v.is_ok}
                    for v in result.verdicts
                ],
                "notes": list(result.notes),
                "summary": result.replayed.accounts.summary(result.replayed.duration_s, 0.0),
                "digests": {
                    "outcomes": result.golden.outcomes,
                    "decisions": result.golden.decisions or None,
                },
            }
            for path, result in zip(files, results, strict=True)
        ],
    }

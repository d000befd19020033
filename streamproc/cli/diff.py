"""``streamproc diff``: what a candidate decides otherwise than the baseline, and whether that is too much."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from streamproc.cli import options
from streamproc.cli.diff_view import as_json, change_as_json, page, show
from streamproc.cli.failures import DONE, FAILED
from streamproc.cli.screen import line, notes_console, print_json, result_console
from streamproc.connectors.capture import CaptureReader
from streamproc.core import ExternalError
from streamproc.replay.diff import (
    Bound,
    Bounds,
    Change,
    Difference,
    Tolerances,
    difference,
    judge,
    side_of,
    tried_sides,
)
from streamproc.reports import ReportFile, render_difference

_SHOWN = 200
_BOUND = "N|P%"


def _bound(text: str) -> Bound:
    try:
        return Bound.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


@dataclass(slots=True)
class _Changes:
    """The events that differ: the first ones are kept, and all are written where that is wanted."""

    file: "_Lines | None"
    first: list[Change] = field(default_factory=list)
    left_out: int = 0

    def __call__(self, change: Change) -> None:
        if self.file is not None:
            self.file.write(change_as_json(change))
        if len(self.first) < _SHOWN:
            self.first.append(change)
        else:
            self.left_out += 1


class _Lines:
    """A file of JSON lines."""

    def __init__(self, path: Path, stack: contextlib.ExitStack) -> None:
        self._path = path
        try:
            self._file = stack.enter_context(path.open("wb"))
        except OSError as error:
            raise self._refused(error) from error

    def write(self, value: object) -> None:
        try:
            self._file.write(msgspec.json.encode(value) + b"\n")
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> ExternalError:
        return ExternalError(f"cannot write {self._path}: {error.strerror or error}")


def diff(
    baseline: Annotated[Path, typer.Argument(metavar="BASELINE.mcap", help="How it was.")],
    candidate: Annotated[
        Path | None,
        typer.Argument(
            metavar="CANDIDATE.mcap",
            help="How it would be; without it, what a model decided that was tried in the baseline.",
        ),
    ] = None,
    tried: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of a shadow or canary: held against the model itself."),
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="1e-6|FIELD=1e-3|DTYPE=1e-5",
            help="By how much numbers may differ; may be given several times. DTYPE: int, float32, float64.",
        ),
    ] = None,
    label: Annotated[
        str, typer.Option(metavar="FIELD", help="Where in the output the label is.")
    ] = "label",
    noise: Annotated[
        Path | None,
        typer.Option(metavar="AGAIN.mcap", help="A second run of the baseline: its noise."),
    ] = None,
    max_missing: Annotated[
        Bound,
        typer.Option(metavar=_BOUND, parser=_bound, help="Events that only the baseline knows."),
    ] = "0",  # type: ignore[assignment]  # typer reads it with the parser
    max_extra: Annotated[
        Bound,
        typer.Option(metavar=_BOUND, parser=_bound, help="Events that only the candidate knows."),
    ] = "0",  # type: ignore[assignment]
    max_changed: Annotated[
        Bound | None,
        typer.Option(
            metavar=_BOUND,
            parser=_bound,
            help="Decisions with another content; 0, or with --max-flips whatever there is.",
        ),
    ] = None,
    max_flips: Annotated[
        Bound | None,
        typer.Option(metavar=_BOUND, parser=_bound, help="Decisions with another label; 0."),
    ] = None,
    max_outcomes: Annotated[
        Bound | None,
        typer.Option(
            metavar=_BOUND, parser=_bound, help="Events that ended otherwise; told, not bounded."
        ),
    ] = None,
    min_compared: Annotated[
        int, typer.Option(min=0, help="Decisions that both must have made.")
    ] = 1,
    changes: Annotated[
        Path | None, typer.Option(metavar="F.jsonl", help="Write every event that differs.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="F.html", help="Write a report.")] = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Compare two recordings of the same traffic, or two models in one; exit 1 when more differs than is allowed."""
    if candidate is not None and tried is not None:
        msg = "is of one recording: leave CANDIDATE.mcap out"
        raise typer.BadParameter(msg, param_hint="--tried")
    if candidate is None and noise is not None:
        msg = "is of two recordings: two models of one saw the same, and there is no noise between them"
        raise typer.BadParameter(msg, param_hint="--noise")
    tolerances = _tolerances(tolerance or [])
    zero = Bound(0, is_share=False)
    bounds = Bounds(
        missing=max_missing,
        extra=max_extra,
        changed=max_changed or (zero if max_flips is None else None),
        flips=max_flips or (zero if max_changed is None else None),
        outcomes=max_outcomes,
        compared_min=min_compared,
    )
    file = None if html is None else ReportFile(html)
    with contextlib.ExitStack() as stack:
        told = _Changes(None if changes is None else _Lines(changes, stack))
        reader = stack.enter_context(CaptureReader(baseline))
        if candidate is None:
            sides = tried_sides(str(baseline), reader, tried)
        else:
            other = stack.enter_context(CaptureReader(candidate))
            sides = side_of(str(baseline), reader), side_of(str(candidate), other)
        found = difference(*sides, tolerances=tolerances, label=label, told=told)
        floor: Difference | None = None
        if noise is not None:
            again = side_of(str(noise), stack.enter_context(CaptureReader(noise)))
            floor = difference(sides[0], again, tolerances=tolerances, label=label)
    findings = judge(found, bounds, floor)
    pipeline = reader.metadata.pipeline or baseline.name
    show(result_console(as_json=json), found, findings, told.first, told.left_out)
    if file is not None:
        file.write(render_difference(page(pipeline, found, findings, told.first, told.left_out)))
        line(notes_console(), f"report: {file.path}")
    if json:
        print_json(as_json(found, findings, told.first, told.left_out))
    return DONE if all(one.is_ok for one in findings) else FAILED


def _tolerances(texts: list[str]) -> Tolerances:
    try:
        return Tolerances.parse(texts)
    except ValueError as error:
        msg = f"--tolerance: {error}"
        raise typer.BadParameter(msg) from None

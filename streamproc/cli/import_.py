"""``streamproc import``: a recording made of JSON lines."""

import sys
from itertools import chain
from pathlib import Path
from typing import Annotated
from uuid import uuid4  # noqa: TID251 - tells recordings apart

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE
from streamproc.cli.screen import line, notes_console, print_json
from streamproc.connectors.capture import (
    CaptureMetadata,
    CaptureWriter,
    JsonLines,
    LineForm,
    TimeUnit,
    not_there,
    open_lines,
)
from streamproc.connectors.files import topic_of
from streamproc.core import ConfigError, ExternalError

_STDIN = "-"


def import_(
    lines: Annotated[
        Path,
        typer.Argument(
            metavar="events.jsonl",
            help="Records with value, or payload (kcat -J), or plain events; .gz too; - for stdin.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="F.mcap", help="The file to write.")],
    topic: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of lines that name none; else the file's name."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="The field of a plain event that becomes its key."),
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="The field of a plain event that says when it was."),
    ] = None,
    unit: Annotated[
        TimeUnit, typer.Option(metavar="s|ms|us|ns", help="Of times that are numbers.")
    ] = "ms",
    rate: Annotated[
        float,
        typer.Option(metavar="N", min=0.001, help="Records a second, where they have no time."),
    ] = 1000.0,
    json: options.Json = False,
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Make a recording of JSON lines, to be replayed."""
    not_there(out)
    stdin = str(lines) == _STDIN
    form = LineForm(topic or ("events" if stdin else topic_of(lines)), key, time, unit, rate)
    reading = JsonLines(form, "stdin" if stdin else str(lines))
    metadata = CaptureMetadata(recorded_by="import", recording=uuid4().hex[:8])
    with sys.stdin.buffer if stdin else open_lines(lines) as file:
        batches = reading.batches(file)
        # A first line that is wrong leaves no file behind.
        first = next(batches, None)
        if first is None:
            msg = f"{lines} has no lines"
            raise ConfigError(msg)
        try:
            with CaptureWriter(out, metadata) as writer:
                for batch in chain((first,), batches):
                    writer.records(batch)
        except OSError as error:
            msg = f"cannot write {out}: {error.strerror or error}"
            raise ExternalError(msg) from error
    told = {"records": reading.records_total, "held": reading.held_total, "file": str(out)}
    if json:
        print_json(told)
        return DONE
    line(notes_console(), f"{reading.records_total:,} records in {out}")
    if reading.held_total:
        line(
            notes_console(),
            f"{reading.held_total:,} have an earlier time than one before them: they keep their timestamps, "
            "and are consumed in the order of the file",
        )
    return DONE

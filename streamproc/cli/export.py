"""``streamproc export``: what is in a recording, the same as Parquet, and training data made of it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED
from streamproc.cli.screen import line, print_json, result_console, table
from streamproc.connectors.capture import CaptureReader, export_parquet
from streamproc.core import NS_PER_S, Duration, ExternalError


def export(
    recording: Annotated[
        list[Path],
        typer.Argument(
            metavar="F.mcap",
            help="A recording: a file, several, or their folder; with --training, the CONFIG.",
        ),
    ],
    parquet: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write records.parquet, decisions.parquet and outcomes.parquet there.",
        ),
    ] = None,
    training: Annotated[
        Path | None,
        typer.Option(metavar="F.mcap", help="Write training data of this recording to --out."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="F.parquet", help="With --training.")] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="F", help="Labels (.csv, .parquet, .jsonl), by id or key and time."),
    ] = None,
    label_unit: Annotated[
        str, typer.Option(help="Of labels' times that are whole numbers: ns, us, ms or s.")
    ] = "ns",
    horizon: Annotated[
        Duration | None,
        typer.Option(
            parser=options.duration,
            help="How long after its event a label is known at the earliest.",
        ),
    ] = None,
    within: Annotated[
        Duration | None,
        typer.Option(parser=options.duration, help="How much later than that, at most (by key)."),
    ] = None,
    known_at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD[:UNIT]",
            help="A field that says when something joined was known: never after the event.",
        ),
    ] = None,
    look_ahead: Annotated[
        int,
        typer.Option(
            min=0, help="Of how many records it is tested that features know nothing of later ones."
        ),
    ] = 10_000,
    set_: options.Set = None,
    json: options.Json = False,
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Say what is in a recording (exit 1 where something is known to be missing), or make training data of it."""
    if training is not None:
        from streamproc.cli.export_training import Asked, need_config, run  # noqa: PLC0415

        if out is None:
            raise typer.BadParameter("--training needs --out F.parquet")
        return run(
            Asked(
                recording=training,
                config=need_config(recording),
                out=out,
                labels=labels,
                label_unit=label_unit,
                horizon=horizon,
                within=within,
                known_at=known_at or (),
                look_ahead=look_ahead,
                overrides=set_ or (),
                json=json,
            )
        )
    with CaptureReader(recording) as capture:
        told = _facts(capture)
        if parquet is not None:
            try:
                told["written"] = export_parquet(capture, parquet)
            except OSError as error:
                msg = f"cannot write to {parquet}: {error.strerror or error}"
                raise ExternalError(msg) from error
    if json:
        print_json(told)
    else:
        _show(told, parquet)
    return FAILED if told["truncated"] or told["gaps"] else DONE


def _facts(capture: CaptureReader) -> dict[str, Any]:
    summary, metadata = capture.summary, capture.metadata
    return {
        "pipeline": metadata.pipeline,
        "recorded_by": metadata.recorded_by,
        "version": metadata.version,
        "models": [
            {"variant": m.variant, "digest": m.digest, "runs_on": m.runs_on}
            for m in metadata.models
        ],
        "machine": dict(metadata.machine),
        "source": metadata.source,
        "first_ns": summary.first_ns,
        "last_ns": summary.last_ns,
        "files": [str(path) for path in summary.files],
        "bytes": summary.bytes_total,
        "channels": dict(sorted(summary.counts.items())),
        "gaps": [
            {
                "start_ns": gap.start_ns,
                "end_ns": gap.end_ns,
                "reason": gap.reason,
                "dropped": dict(gap.dropped),
            }
            for gap in summary.gaps
        ],
        "truncated": summary.truncated,
    }


def _show(told: dict[str, Any], parquet: Path | None) -> None:
    console = result_console(as_json=False)
    files = ", ".join(told["files"])
    line(console, f"{files}: {told['bytes'] / (1 << 20):,.1f} MiB")
    if told["pipeline"]:
        line(console, f"pipeline {told['pipeline']}, by streamproc {told['version']}")
    for model in told["models"]:
        line(console, f"model {model['variant']}, {model['digest']}, on {model['runs_on']}")
    if told["first_ns"] is not None:
        seconds = (told["last_ns"] - told["first_ns"]) / NS_PER_S
        line(
            console,
            f"{_instant(told['first_ns'])} to {_instant(told['last_ns'])}: {seconds:,.1f} s",
        )
    rows = table("channel", "messages")
    for name, count in told["channels"].items():
        rows.add_row(name, f"{count:,}")
    console.print(rows)
    for gap in told["gaps"]:
        dropped = ", ".join(f"{count:,} {kind}" for kind, count in gap["dropped"].items())
        at = _instant(gap["start_ns"])
        line(console, f"missing since {at} ({gap['reason']}): {dropped}", "bold red")
    if told["truncated"]:
        line(console, told["truncated"], "bold red")
    for name, count in told.get("written", {}).items():
        line(console, f"wrote {count:,} rows to {parquet}/{name}")


def _instant(at_ns: int) -> str:
    moment = datetime.fromtimestamp(at_ns // NS_PER_S, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}Z"

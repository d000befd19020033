"""``streamproc optimize``: cheaper variants of a model, measured on recorded traffic."""

from pathlib import Path
from typing import Annotated, Any

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED
from streamproc.cli.optimize_recording import read_recording
from streamproc.cli.optimize_tune import tune_model
from streamproc.cli.screen import line, notes_console, print_json, result_console, table
from streamproc.core import ConfigError
from streamproc.modeling.graphs import load_graph, parameters_total
from streamproc.modeling.judging import Interval
from streamproc.modeling.ladder import write_ladder
from streamproc.modeling.optimizing import Optimized, Row, Settings
from streamproc.modeling.optimizing import optimize as try_all
from streamproc.modeling.techniques import Techniques
from streamproc.modeling.traffic import Traffic, read_npz
from streamproc.modeling.training import Training

_ARRAYS = ".npz"


def optimize(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="The ONNX file.")],
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CONFIG]",
            help="The pipeline whose features are the model's inputs; by default the recording's own.",
        ),
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(
            metavar="F.mcap|F.npz",
            help="A recording, or its events as arrays: one for each input, and label, group and part where known.",
        ),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune",
            help="Find settings (threads, spinning, arena, graph, batch size) in place of variants; "
            "without a recording, on random numbers.",
        ),
    ] = False,
    label: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD", help="The decoded field of a recording that says what is true."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the variants worth serving there, as a ladder."),
    ] = None,
    batch: Annotated[str, typer.Option(metavar="1,32", help="Batch sizes.")] = "1,32",
    keep: Annotated[
        str, typer.Option(metavar="0.75,0.5", help="Parts of the channels that pruning keeps.")
    ] = "0.75,0.5,0.375",
    epochs: Annotated[
        int, typer.Option(min=0, help="Of a pruned model's training; 0 trains none.")
    ] = 20,
    fixed: Annotated[
        str, typer.Option(metavar="NAME,NAME", help="Constants that training leaves alone.")
    ] = "",
    noise: Annotated[
        float, typer.Option(min=0.0, help="Of the events that training sees a second time.")
    ] = 0.1,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each variant's measurement.")] = 30,
    loss: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Accuracy that a variant may lose.")
    ] = 0.01,
    flips: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Decisions that may differ, where no truth is known."),
    ] = 0.05,
    openvino: Annotated[
        bool | None,
        typer.Option(
            "--openvino/--no-openvino", help="OpenVINO too; by default where it is there."
        ),
    ] = None,
    set_: options.Set = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Try what makes a model cheaper; exit 1 where nothing that is faster is good enough."""
    graph = load_graph(model)
    sizes = _numbers(batch, int, "--batch")
    if recording is None:
        if not tune:
            msg = "needs --recording F.mcap or F.npz: what the variants are made and judged on (only --tune goes without)"
            raise typer.BadParameter(msg)
        return tune_model(model, None, batches=sizes, rounds=rounds, out=out, json=json)
    if recording.suffix == _ARRAYS:
        if config is not None or label is not None or set_:
            msg = "an .npz file holds the inputs and labels themselves: CONFIG, --label and --set are for recordings"
            raise ConfigError(msg)
        traffic = read_npz(recording, [tensor.name for tensor in graph.graph.input])
    else:
        traffic = read_recording(recording, model, config=config, label=label, overrides=set_ or ())
    if tune:
        return tune_model(model, traffic, batches=sizes, rounds=rounds, out=out, json=json)
    techniques = Techniques(
        keep=_numbers(keep, float, "--keep"),
        training=Training(epochs=epochs) if epochs else None,
        openvino=_has_openvino() if openvino is None else openvino,
        noise=noise,
        fixed=tuple(name for name in fixed.split(",") if name),
    )
    settings = Settings(batches=sizes, rounds=rounds, flips_max=flips, loss_max=loss)
    notes = notes_console()
    found = try_all(graph, traffic, techniques, settings, say=lambda text: line(notes, text))
    written = [] if out is None else write_ladder(found, traffic.test, out)
    _show(found, traffic, as_json=json)
    for path in written:
        line(result_console(as_json=json), str(path), "green")
    if json:
        print_json(_told(found, parameters_total(graph)) | {"written": list(map(str, written))})
    return DONE if len(found.ladder) > 1 else FAILED


def _numbers(text: str, kind: Any, option: str) -> tuple[Any, ...]:  # noqa: ANN401 - int or float
    try:
        found = tuple(kind(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or min(found) <= 0 or (kind is float and max(found) > 1):
        msg = f"{option}: {text!r} must be numbers above 0, with commas between them"
        raise ConfigError(msg)
    return found


def _has_openvino() -> bool:
    from importlib.util import find_spec  # noqa: PLC0415

    return find_spec("openvino") is not None


def _show(found: Optimized, traffic: Traffic, *, as_json: bool) -> None:
    console = result_console(as_json=as_json)
    sizes = list(found.rows[0].timings)
    rows = table(
        "variant",
        *(f"batch {size}: p50, p99 us" for size in sizes),
        *(f"x at {size}" for size in sizes),
        "KiB",
        "flips",
        "accuracy",
        "loss (95%)",
        "",
    )
    for row in found.rows:
        rows.add_row(row.candidate.name, *_cells(row, sizes))
    for failed in found.failed:
        rows.add_row(failed.name, *[""] * (2 * len(sizes) + 4), f"not tried: {failed.why}")
    console.print(rows)
    line(
        console,
        f"CPU time of one thread; decisions on {len(traffic.test):,} events that nothing was fitted to or chosen on; "
        "* is on the Pareto front",
    )


def _cells(row: Row, sizes: list[int]) -> list[str]:
    test = row.test
    return [
        *(f"{row.timings[s].p50 / 1e3:,.0f}, {row.timings[s].p99 / 1e3:,.0f}" for s in sizes),
        *(f"{row.speedups[size]:.2f}" for size in sizes),
        f"{row.bytes_total / 1024:,.0f}",
        f"{test.flips:.1%}",
        "-" if test.accuracy is None else f"{test.accuracy:.3f}",
        "-" if test.loss is None else f"{test.loss:+.3f} {_interval(test.loss_95)}",
        "*" if row.front else "" if row.served else "not served",
    ]


def _interval(interval: Interval | None) -> str:
    return "" if interval is None else f"({interval[0]:+.3f} to {interval[1]:+.3f})"


def _told(found: Optimized, parameters: int) -> dict[str, Any]:
    return {
        "parameters": parameters,
        "variants": [
            {
                "name": row.candidate.name,
                "technique": row.candidate.technique,
                "runtime": row.candidate.runtime,
                "bytes": row.bytes_total,
                "cpu_us": {
                    str(size): {
                        "mean": round(t.mean / 1e3, 2),
                        "p50": round(t.p50 / 1e3, 2),
                        "p99": round(t.p99 / 1e3, 2),
                    }
                    for size, t in row.timings.items()
                },
                "speedup": {str(size): round(s, 3) for size, s in row.speedups.items()},
                "flips": round(row.test.flips, 5),
                "flips_95": row.test.flips_95,
                "accuracy": row.test.accuracy,
                "accuracy_95": row.test.accuracy_95,
                "loss": row.test.loss,
                "loss_95": row.test.loss_95,
                "validation": {"flips": row.validation.flips, "loss": row.validation.loss},
                "served": row.served,
                "front": row.front,
            }
            for row in found.rows
        ],
        "failed": {one.name: one.why for one in found.failed},
        "ladder": [row.candidate.label for row in found.ladder],
    }

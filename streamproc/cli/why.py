"""``streamproc why``: where an event's time went, and the smallest change that would have saved it."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, located
from streamproc.cli.replay_plan import latency_models
from streamproc.cli.screen import print_json, result_console
from streamproc.cli.simulate_plan import rules_of
from streamproc.cli.why_view import as_json, show
from streamproc.config import load as load_config
from streamproc.connectors.capture import CaptureReader
from streamproc.core import Duration
from streamproc.replay.coordinates import Coordinates
from streamproc.replay.playback import ReplayMachine, answering, timing
from streamproc.replay.simulation import Machine, SimulatedVariant
from streamproc.replay.why import explain
from streamproc.runtime import Pipeline


def _event(text: str) -> Coordinates:
    try:
        return Coordinates.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def why(
    event: Annotated[
        Coordinates,
        typer.Argument(metavar="TOPIC/PARTITION/OFFSET", parser=_event, help="Of its record."),
    ],
    config: options.Config,
    capture: Annotated[
        Path, typer.Option(metavar="F.mcap", help="A recording with records and outcomes.")
    ],
    set_: options.Set = None,
    latency_model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[VARIANT=]F.json", help="Batch times that were saved; else the recording's."
        ),
    ] = None,
    send: Annotated[
        Duration | None,
        typer.Option(
            metavar="1ms", parser=options.duration, help="Of sending; else the recording's."
        ),
    ] = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Say where an event's time went, and what would have saved it."""
    loaded = load_config(config, overrides=set_ or ())
    saved = latency_models(latency_model or (), loaded.config)
    reader = CaptureReader(capture)
    with located(loaded):
        pipeline = Pipeline.from_file(loaded)
        executors = answering(pipeline, outputs=False)
        known = timing(pipeline, executors, reader, saved=saved, send_ns=send)
        size_max = pipeline.batching.max_size
        answer = explain(
            reader,
            event,
            config=pipeline,
            model=executors[0].info,
            machine=machine_of(
                known.machine,
                [(one.name, one.quality) for one in pipeline.model.ladder],
                executors=min(one.concurrency for one in executors),
                size_max=min(size_max, *(one.info.batch_max or size_max for one in executors)),
            ),
            rules=rules_of(pipeline),
        )
    show(result_console(as_json=json), answer, pipeline)
    if json:
        print_json(as_json(answer, pipeline))
    return DONE


def machine_of(
    told: ReplayMachine,
    variants: list[tuple[str, float]],
    *,
    executors: int,
    size_max: int,
) -> Machine:
    """A replay's machine as the simulator knows it; sending takes what it took half of the times."""
    sizes = np.arange(1, size_max + 1)
    curves = [np.rint(np.interp(sizes, *sweep)).astype(np.int64) for sweep in told.sweeps]
    return Machine(
        variants=[
            SimulatedVariant(np.maximum.accumulate(curve), name, quality)
            for curve, (name, quality) in zip(curves, variants, strict=True)
        ],
        executors=executors,
        send_ns=int(np.median(told.send_ns)),
    )

"""``streamproc why``: where an event's time went, and the smallest change that would have saved it."""

from collections.abc import Sequence
from dataclasses import replace
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
from streamproc.codecs import JsonCodec
from streamproc.config import LoadedConfig, load, parse
from streamproc.connectors.capture import CaptureReader
from streamproc.core import ConfigError, Duration, Executor, ModelInfo
from streamproc.replay.coordinates import Coordinates
from streamproc.replay.playback import ReplayMachine, Silent, answering, timing
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
    capture: Annotated[
        Path, typer.Option(metavar="F.mcap", help="A recording with records and outcomes.")
    ],
    config: Annotated[
        Path | None,
        typer.Argument(metavar="[CONFIG]", help="The pipeline's YAML file; else the recorded one."),
    ] = None,
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
    reader = CaptureReader(capture)
    loaded = _loaded(reader, capture, config, set_ or ())
    saved = latency_models(latency_model or (), loaded.config)
    with located(loaded):
        # What waits for the model itself waits for no other.
        pipeline = replace(Pipeline.from_file(loaded), rollout=None)
        executors = _executors(pipeline, reader)
        known = timing(pipeline, executors, reader, saved=saved, send_ns=send)
        if known.measured:
            names = ", ".join(
                name for name, origin in known.origins.items() if origin == "measured"
            )
            msg = (
                f"how long batches of {names} take is not in the recording: give a saved latency model with "
                "--latency-model F.json (`streamproc simulate CONFIG --measure F.json` saves one)"
            )
            raise ConfigError(msg)
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


def _loaded(
    reader: CaptureReader, capture: Path, config: Path | None, overrides: Sequence[str]
) -> LoadedConfig:
    """The pipeline's file, or what the recording has of it."""
    if config is not None:
        return load(config, overrides=overrides)
    text = reader.metadata.configuration
    if not text:
        msg = f"{capture} does not hold its configuration: name it behind the event, such as pipeline.yaml"
        raise ConfigError(msg)
    origin = f"the configuration in {capture}"
    return parse(text, origin=origin, folder=capture.parent, overrides=overrides)


def _executors(pipeline: Pipeline, reader: CaptureReader) -> Sequence[Executor]:
    """What stands for the model, which is not run: loaded only where it says what the events' fields are."""
    if not isinstance(pipeline.codec, JsonCodec):
        return answering(pipeline, outputs=False)
    digests = {model.variant: model.digest for model in reader.metadata.models}
    return [
        Silent(
            ModelInfo(variant=one.name, digest=digests.get(one.name, ""), inputs=(), outputs=()),
            concurrency=int(getattr(one.executor, "concurrency", 1)),
            columns=1,
        )
        for one in pipeline.model.ladder
    ]


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

"""``streamproc optimize --recording F.mcap``: the model's inputs, out of a recording."""

import json
from collections.abc import Sequence
from pathlib import Path

from streamproc.cli.failures import located
from streamproc.cli.replay_plan import choose, say_recording
from streamproc.cli.screen import line, notes_console
from streamproc.config import LoadedConfig, load, parse
from streamproc.connectors.capture import CaptureReader
from streamproc.core import ConfigError
from streamproc.modeling.recorded import traffic_of
from streamproc.modeling.traffic import Traffic
from streamproc.runtime import Pipeline


def read_recording(
    recording: Path,
    model: Path,
    *,
    config: Path | None,
    label: str | None,
    overrides: Sequence[str],
) -> Traffic:
    """Make the inputs of a recording's events by the pipeline's features.

    Args:
        recording: a file, or the folder of several.
        model: takes the place of the pipeline's.
        config: the pipeline's file; None takes what the recording says.
        label: the field that says what is true.
        overrides: ``KEY=VALUE`` each.

    Raises:
        ConfigError: something does not fit.
    """
    with CaptureReader([recording]) as reader:
        loaded = _loaded(reader, model, config, overrides)
        with located(loaded):
            say_recording(reader)
            pipeline = Pipeline.from_file(loaded)
            chosen = choose(reader, pipeline, topics=(), start=None, end=None)
            return traffic_of(pipeline, chosen.records, label=label)


def _loaded(
    reader: CaptureReader, model: Path, config: Path | None, overrides: Sequence[str]
) -> LoadedConfig:
    # Its executor, variants and digests are another model's.
    asked = [f"model={json.dumps({'path': str(model.absolute())})}", *overrides]
    if config is not None:
        return load(config, overrides=asked)
    if not reader.metadata.configuration:
        msg = "the recording does not say by which pipeline it was made: name its file, optimize MODEL CONFIG"
        raise ConfigError(msg)
    line(
        notes_console(),
        "features as the recording's own configuration says; files in it start from this folder",
    )
    return parse(
        reader.metadata.configuration,
        origin="the recording's configuration",
        folder=Path(),
        overrides=asked,
    )

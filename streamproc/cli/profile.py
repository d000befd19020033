"""``streamproc profile``: where the time goes. What is profiled follows from the file's kind."""

from pathlib import Path
from typing import Annotated

import typer

from streamproc.cli import options
from streamproc.cli.profile_model import profile_onnx
from streamproc.core import ConfigError
from streamproc.modeling.bench.targets import is_model


def profile(
    target: Annotated[Path, typer.Argument(metavar="MODEL", help="An ONNX file.")],
    batch: Annotated[int, typer.Option(min=1, help="Events of a run.")] = 32,
    inputs: Annotated[
        Path | None, typer.Option(metavar="F.npz", help="Recorded inputs; else random numbers.")
    ] = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Time, memory and arithmetic of a model's operators beside what this machine can do, and what to do next."""
    if not is_model(target):
        msg = f"{target} is no model: name an ONNX file"
        raise ConfigError(msg)
    return profile_onnx(target, batch=batch, inputs=inputs, json=json)

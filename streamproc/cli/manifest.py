"""``streamproc manifest``: which files a model is made of, and what is in them."""

from pathlib import Path
from typing import Annotated

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, located
from streamproc.cli.screen import line, print_json, result_console
from streamproc.config import load
from streamproc.core import ConfigError, Problem
from streamproc.executors import MANIFEST_NAME, look_at, write_manifest


def manifest(
    config: options.Config,
    set_: options.Set = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help=f"Where to write it; by default {MANIFEST_NAME} beside the model."
        ),
    ] = None,
    json: options.Json = False,
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Look at the model's files as they are now, and write the manifest that later ones must match."""
    # The manifest that the file names need not be there yet.
    loaded = load(config, overrides=[*(set_ or ()), "model.manifest=null"])
    model = loaded.config.model
    with located(loaded):
        found: dict[Path, tuple[int, str]] = {}
        for place, variant in enumerate(model.variants or model.ladder):
            key = f"model.variants[{place}]" if model.variants else "model"
            for stage, name in enumerate(variant.files):
                at = f"{key}.chain[{stage}]" if variant.chain else key
                files = look_at(name, model.rules, at, compare=False).files
                found |= {file.path: (file.size, file.sha256) for file in files}
        if not found:
            raise ConfigError(Problem("names no file that a manifest could be of", "model"))
        path = out or next(iter(found)).parent / MANIFEST_NAME
        write_manifest(path, found)
    line(result_console(as_json=json), f"{path}: {len(found)} files", "green")
    if json:
        print_json({"manifest": str(path), "files": sorted(map(str, found))})
    return DONE

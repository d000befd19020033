"""``streamproc init``: a project that works, to be changed."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from streamproc.cli import options
from streamproc.cli.assets import asset, template, templates
from streamproc.cli.failures import DONE
from streamproc.cli.screen import line, print_json, result_console
from streamproc.core import VERSION, ConfigError, ExternalError

DEFAULT_TEMPLATE = "market"
TEMPLATES = "market|market-quotes|sensor|sensor-samples"
_LATER = ("audio",)
_SCHEMA = "config.schema.json"


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    template_name: Annotated[
        str, typer.Option("--template", metavar=TEMPLATES, help="What it begins with.")
    ] = DEFAULT_TEMPLATE,
    json: options.Json = False,
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Make a working project: pipeline, features, model, test, compose file."""
    origin = find_template(template_name)
    if folder.is_dir() and any(folder.iterdir()):
        msg = f"{folder} is not empty: name a new folder, nothing is ever overwritten"
        raise ConfigError(msg)
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file: name a new folder"
        raise ConfigError(msg)
    try:
        unwanted = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(origin, folder, dirs_exist_ok=True, ignore=unwanted)
        shutil.copyfile(asset("schemas", _SCHEMA), folder / _SCHEMA)
    except OSError as error:
        msg = f"cannot make {folder}: {error.strerror or error}"
        raise ExternalError(msg) from error
    made = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    _show(folder, made, as_json=json)
    if json:
        print_json({"folder": str(folder), "template": template_name, "files": made})
    return DONE


def find_template(name: str) -> Path:
    """A template's folder.

    Raises:
        ConfigError: there is none of this name.
    """
    there = templates()
    if name in there:
        return template(name)
    names = f"there are {', '.join(there)}"
    if name in _LATER:
        msg = f"template {name} is not yet in streamproc {VERSION}: {names}"
    else:
        msg = f"there is no template {name!r}: {names}"
    raise ConfigError(msg)


def _show(folder: Path, made: list[str], *, as_json: bool) -> None:
    console = result_console(as_json=as_json)
    line(console, f"{folder}: {', '.join(made)}")
    line(console, "next:", "bold")
    for step in (
        f"cd {folder}",
        "streamproc check --offline pipeline.yaml   # configuration, model, features",
        "pytest                                     # a few events through the whole pipeline",
        "docker compose up -d --wait kafka && docker compose run --rm topics",
        "streamproc run pipeline.yaml",
    ):
        line(console, f"  {step}")

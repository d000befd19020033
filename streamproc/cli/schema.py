"""``streamproc schema``: the schemas, for editors and for consumers of decisions."""

import json as jsonlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from streamproc.cli import options
from streamproc.cli.assets import asset
from streamproc.cli.failures import DONE
from streamproc.cli.screen import line, notes_console, print_json, result_console, table
from streamproc.core import ConfigError, ExternalError

_SUFFIX = ".schema.json"
_OTHERS = {
    "decision-avro": ("decision.avsc", "A decision, as decisions: avro writes it."),
    "decision-protobuf": ("decision.proto", "A decision, as decisions: protobuf writes it."),
}
"""Those of other languages: their files, and what they are."""


def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Which; without it they are listed.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write them there instead of printing.")
    ] = None,
    json: options.Json = False,
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """List the schemas, print one, or write them to a folder."""
    found = _files()
    if name is not None and name not in found:
        msg = f"there is no schema {name!r}: there are {', '.join(found)}"
        raise ConfigError(msg)
    wanted = found if name is None else {name: found[name]}
    texts = {key: path.read_text(encoding="utf-8") for key, path in wanted.items()}
    if out is not None:
        written = _write(out, {wanted[key].name: text for key, text in texts.items()})
        if json:
            print_json({"written": written})
        else:
            for path in written:
                line(notes_console(), f"wrote {path}")
    elif name is not None:
        sys.stdout.write(texts[name])
    elif json:
        print_json({"schemas": {key: _as_json(text) for key, text in texts.items()}})
    else:
        _list(texts)
    return DONE


def _files() -> dict[str, Path]:
    of_json = sorted(asset("schemas").glob(f"*{_SUFFIX}"))
    others = {key: asset("schemas", file) for key, (file, _) in _OTHERS.items()}
    return {path.name.removesuffix(_SUFFIX): path for path in of_json} | others


def _as_json(text: str) -> object:
    """A schema; one that is no JSON as its text."""
    try:
        return jsonlib.loads(text)
    except ValueError:
        return text


def _list(texts: dict[str, str]) -> None:
    rows = table("name", "what")
    rows.columns[1].justify = "left"
    for key, text in texts.items():
        if key in _OTHERS:
            rows.add_row(key, _OTHERS[key][1])
            continue
        content = jsonlib.loads(text)
        rows.add_row(key, content.get("description") or content.get("title", ""))
    result_console(as_json=False).print(rows)


def _write(folder: Path, texts: dict[str, str]) -> list[str]:
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = folder / name
            path.write_text(text, encoding="utf-8")
            written.append(str(path))
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror}"
        raise ExternalError(msg) from error
    return written

"""From the file to the objects: ``load`` and ``parse``."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any

from streamproc.config.chain_checks import resolve_chains
from streamproc.config.checks import findings
from streamproc.config.codec_checks import resolve_codec_files
from streamproc.config.ends import resolve_ends
from streamproc.config.feature_checks import resolve_tables
from streamproc.config.hyphens import unhyphen
from streamproc.config.kafka_names import rename
from streamproc.config.loaded import LoadedConfig
from streamproc.config.openslo import read_files
from streamproc.config.overrides import apply, from_arguments, from_environment
from streamproc.config.rollout_checks import resolve_rollout
from streamproc.config.secrets import Secret, read_again, redact, resolve
from streamproc.config.security_checks import resolve_files
from streamproc.config.spec import PipelineConfig
from streamproc.config.tree import Node, Path, dotted
from streamproc.config.validate import read_parts
from streamproc.config.yaml_lines import BYTES_MAX, read_yaml
from streamproc.core import ConfigError, Problem

_NOTHING: Mapping[str, str] = MappingProxyType({})
_HERE = FilePath()


def load(
    path: str | FilePath,
    *,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
) -> LoadedConfig:
    """Read a pipeline's file.

    Args:
        path: the YAML file; relative paths in it start from its folder.
        overrides: ``KEY=VALUE`` each, over the file and the environment.
        environ: where ``STREAMPROC_*`` and ``${env:...}`` are looked up; None takes the process's.

    Raises:
        ConfigError: all that is wrong, each with its line and key.
    """
    path = FilePath(path)
    text = _text_of(path)
    environ = os.environ if environ is None else environ
    loaded = parse(text, origin=str(path), folder=path.parent, overrides=overrides, environ=environ)
    return replace(loaded, path=path)


def parse(
    text: str,
    *,
    origin: str = "<text>",
    folder: FilePath = _HERE,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = _NOTHING,
) -> LoadedConfig:
    """Read a pipeline from a text; the process's environment is left out.

    Args:
        text: the YAML.
        origin: what the messages call it.
        folder: where relative paths start from.
        overrides: as for ``load``.
        environ: as for ``load``.

    Raises:
        ConfigError: all that is wrong.
    """
    problems: list[Problem] = []
    root = read_yaml(text, origin=origin)
    rename(root, problems)
    apply(root, from_environment(environ, problems), problems)
    apply(root, from_arguments(overrides, problems), problems)
    rename(root, problems)  # an override's value may be a mapping with Kafka's names
    unhyphen(root)
    read_files(root, folder, problems)
    read_again(root, folder)
    secrets, unresolved = resolve(root, folder=folder, environ=environ, problems=problems)

    found: list[Problem] = []
    resolve_files(root, folder, found)
    resolve_tables(root, folder, found)
    resolve_codec_files(root, folder, found)
    parts = read_parts(root, problems=found)
    _resolve_model_paths(root, parts, folder, found)
    resolve_chains(root, parts, folder, found)
    resolve_ends(root, parts, folder, found)
    resolve_rollout(root, parts, folder, found)
    found += [root.problem(path, message) for path, message in findings(parts)]
    hopeless = {dotted(path) for path in unresolved}
    problems += [problem for problem in found if problem.key not in hopeless]
    if problems:
        raise ConfigError(*_in_order(problems, origin, secrets))
    return LoadedConfig(_assembled(parts, origin), None, text, root, secrets)


def _text_of(path: FilePath) -> str:
    """The file's text; one byte beyond the limit is enough to be refused.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(BYTES_MAX + 1).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise ConfigError(Problem(f"cannot be read: {why}", origin=str(path))) from None


def _resolve_model_paths(
    root: Node, parts: dict[str, Any], folder: FilePath, problems: list[Problem]
) -> None:
    """Make the model's paths start from the file's folder; looked for even if the model is wrong otherwise."""
    shown = _resolved(root, ("model", "path"), folder, problems)
    if shown is not None and "model" in parts:
        parts["model"] = replace(parts["model"], path=shown)
    shown = _resolved(root, ("model", "manifest"), folder, problems)
    if shown is not None and "model" in parts:
        parts["model"] = replace(parts["model"], manifest=shown)
    for name in ("golden", "agreement"):
        shown = _resolved(root, ("model", name, "path"), folder, problems)
        held = getattr(parts["model"], name) if "model" in parts else None
        if shown is not None and held is not None:
            parts["model"] = replace(parts["model"], **{name: replace(held, path=shown)})
    _resolve_signature_paths(root, parts, folder, problems)
    libraries = root.at(("model", "custom_ops"))
    for place, _ in libraries.children() if libraries is not None else ():
        shown = _resolved(root, ("model", "custom_ops", place), folder, problems)
        if shown is not None and "model" in parts and isinstance(place, int):
            made = list(parts["model"].custom_ops)
            made[place] = shown
            parts["model"] = replace(parts["model"], custom_ops=tuple(made))
    variants = root.at(("model", "variants"))
    for place, _ in variants.children() if variants is not None else ():
        shown = _resolved(root, ("model", "variants", place, "path"), folder, problems)
        if shown is not None and "model" in parts and isinstance(place, int):
            made = list(parts["model"].variants)
            made[place] = replace(made[place], path=shown)
            parts["model"] = replace(parts["model"], variants=tuple(made))


def _resolve_signature_paths(
    root: Node, parts: dict[str, Any], folder: FilePath, problems: list[Problem]
) -> None:
    """The same of what a signature is checked with."""
    signature = parts["model"].signature if "model" in parts else None
    for name in ("path", "public_key"):
        shown = _resolved(root, ("model", "signature", name), folder, problems)
        if shown is not None and signature is not None:
            signature = replace(signature, **{name: shown})
    certificates = root.at(("model", "signature", "certificates"))
    for place, _ in certificates.children() if certificates is not None else ():
        shown = _resolved(root, ("model", "signature", "certificates", place), folder, problems)
        if shown is not None and signature is not None and isinstance(place, int):
            made = list(signature.certificates)
            made[place] = shown
            signature = replace(signature, certificates=tuple(made))
    if signature is not None:
        parts["model"] = replace(parts["model"], signature=signature)


def _resolved(
    root: Node, path: Path, folder: FilePath, problems: list[Problem]
) -> "str | Secret | None":
    """The file that a path of the configuration means; None where none is written there."""
    node = root.at(path)
    if node is None or not isinstance(node.value, str):
        return None
    file = folder / node.value
    try:
        found = file.is_file()
    except OSError:  # such as a name that is too long
        found = False
    shown = Secret(file) if isinstance(node.value, Secret) else str(file)
    if not found:
        message = (
            f"there is no file {shown!r}; relative paths start from the configuration's folder"
        )
        problems.append(root.problem(path, message))
    return shown


def _in_order(problems: list[Problem], origin: str, secrets: frozenset[str]) -> list[Problem]:
    """The file's problems by line, then the others, each once and without secrets."""
    clean = [
        replace(p, message=redact(p.message, secrets), key=redact(p.key, secrets)) for p in problems
    ]
    return sorted(
        dict.fromkeys(clean), key=lambda p: (p.origin != origin, p.origin, p.line or 0, p.key)
    )


def _assembled(parts: Mapping[str, Any], origin: str) -> PipelineConfig:
    try:
        return PipelineConfig(**parts)
    except ValueError as error:
        raise ConfigError(Problem(str(error), origin=origin)) from None

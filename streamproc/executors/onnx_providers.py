"""onnxruntime's execution providers: those asked for, those that are there, and the one that is really used."""

import logging
from collections.abc import Sequence
from importlib.metadata import distributions
from typing import Any

from streamproc.core import ConfigError, Problem
from streamproc.executors.runtimes import OnnxRuntime

log = logging.getLogger(__name__)

KEY = "model.executor.onnxruntime.providers"
CPU = "CPUExecutionProvider"
_BESIDE = ("onnxruntime-extensions", "onnxruntime-genai", "onnxruntime-tools")
"""Packages of the name that do not hold the module ``onnxruntime`` itself."""


def runtime_packages() -> list[str]:
    """The installed packages that bring the module ``onnxruntime``, with their versions.

    They all write into one folder: of two, the one installed last has overwritten a part of the other, and what is
    left may have a provider less without a word.
    """
    found = {
        f"{d.name} {d.version}"
        for d in distributions()
        if d.name
        and (name := d.name.lower().replace("_", "-")).startswith(("onnxruntime", "ort-nightly"))
        and not name.startswith(_BESIDE)
    }
    return sorted(found)


def chosen(options: OnnxRuntime, available: Sequence[str]) -> list[tuple[str, dict[str, str]]]:
    """The providers to ask onnxruntime for, with their options.

    Args:
        options: what the user set.
        available: those that this onnxruntime has.

    Raises:
        ConfigError: one is missing, and ``fallback`` is off; or none is there.
    """
    missing = [name for name in options.providers if name not in available]
    there = [name for name in options.providers if name in available]
    if missing and (not options.fallback or not there):
        text = f"{', '.join(missing)} is not in this onnxruntime: it has {', '.join(available)}{_hint()}"
        raise ConfigError(Problem(text, KEY))
    if missing:
        log.warning(
            "%s is not in this onnxruntime%s: %s is used", ", ".join(missing), _hint(), there[0]
        )
    return [(name, _texts(options.provider_options.get(name, {}))) for name in there]


def check_used(options: OnnxRuntime, asked: Sequence[str], used: Sequence[str]) -> None:
    """Compare what a session says that it uses with what it was asked for.

    Raises:
        ConfigError: the first is another, and ``fallback`` is off.
    """
    if used[0] == asked[0]:
        return
    text = f"{asked[0]} does not work here: onnxruntime fell back to {used[0]}{_hint()}"
    if not options.fallback:
        raise ConfigError(Problem(text, KEY))
    log.warning("%s", text)


def _texts(options: Any) -> dict[str, str]:  # noqa: ANN401 - a mapping out of the file
    """Options as onnxruntime takes them: texts; of a truth value 1 or 0."""
    return {
        name: str(int(value)) if isinstance(value, bool) else str(value)
        for name, value in options.items()
    }


def _hint() -> str:
    packages = runtime_packages()
    if len(packages) < 2:  # noqa: PLR2004
        return ""
    return (
        f" ({' and '.join(packages)} are installed side by side and overwrite each other: "
        "uninstall both, then install the one that is meant)"
    )

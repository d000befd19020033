"""``streamproc check``: what is wrong with a pipeline, before it runs."""

import asyncio
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from streamproc.cli import options, rollout_words
from streamproc.cli.failures import DONE, located, placed
from streamproc.cli.inspection import (
    Found,
    inspect_parts,
    inspect_topics,
    state_words,
    tensor_words,
)
from streamproc.cli.screen import line, print_json, result_console, table
from streamproc.config import LoadedConfig, load
from streamproc.core import ConfigError, SystemClock
from streamproc.runtime import Pipeline


def check(
    config: options.Config,
    set_: options.Set = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no broker: topics are not looked at.")
    ] = False,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Look at the configuration, the model, your code, and the topics; nothing is consumed."""
    loaded = load(config, overrides=set_ or ())
    Pipeline.from_file(loaded)  # its folder is where the user's modules are
    with located(loaded):
        found = inspect_parts(loaded, SystemClock())
        if not offline:
            asyncio.run(inspect_topics(loaded, found))
    if not json or found.problems:
        _show(result_console(as_json=json or bool(found.problems)), loaded, found)
    for problem in placed(loaded, found.warnings):
        print(f"streamproc: warning: {problem}", file=sys.stderr)
    if found.problems:
        raise ConfigError(*sorted(placed(loaded, found.problems), key=lambda p: p.line or 0))
    if json:
        print_json(_as_json(loaded, found))
    return DONE


def _show(console: Console, loaded: LoadedConfig, found: Found) -> None:
    """What was found, for people."""
    config, model = loaded.config, found.model
    rows = table("", "")
    rows.columns[1].justify = "left"
    rows.add_row("pipeline", f"{config.name} ({loaded.path})")
    if model is not None:
        files = config.model.ladder[0].files
        rows.add_row("model", f"{', then '.join(files) or model.runs_on}, {model.digest}")
        rows.add_row("runs on", model.runs_on)
        for spec in model.inputs:
            rows.add_row("input", f"{tensor_words(spec)} <- {found.features}")
        for spec in model.outputs:
            rows.add_row("output", f"{tensor_words(spec)} -> {found.decisions}")
        for state in model.state:
            rows.add_row("carries", state_words(state))
    for row in rollout_words.rows(config, found.models):
        rows.add_row(*row)
    for name, batch_ms in found.batch_ms.items():
        times = ", ".join(f"{size}: {ms:.2f} ms" for size, ms in batch_ms.items())
        of = f" ({name})" if len(found.models) > 1 else ""
        rows.add_row("a batch of", f"{times}{of}; the budget is {config.deadline.budget}")
    for topic, partitions in found.topics.items():
        shape = "will be made" if partitions is None else f"{partitions} partitions"
        rows.add_row("topic", f"{topic}, {shape}")
    console.print(rows)
    if not found.problems:
        asked = f"broker {found.broker}" if found.broker else "no broker asked"
        line(console, f"ok: it can run ({asked})", "green")


def _as_json(loaded: LoadedConfig, found: Found) -> dict[str, Any]:
    config, model = loaded.config, found.model
    described, best = None, config.model.ladder[0].path
    if model is not None:
        described = {
            "path": best and str(best),
            "digest": model.digest,
            "runs_on": model.runs_on,
            "inputs": [tensor_words(spec) for spec in model.inputs],
            "outputs": [tensor_words(spec) for spec in model.outputs],
            "state": [state_words(spec) for spec in model.state],
            "stages": [
                {"path": str(path), "digest": digest}
                for path, digest in zip(config.model.ladder[0].files, model.stages, strict=False)
            ],
        }
    times = {
        variant: {str(size): ms for size, ms in batch_ms.items()}
        for variant, batch_ms in found.batch_ms.items()
    }
    roles = rollout_words.roles(config)
    return {
        "ok": True,
        "pipeline": config.name,
        "model": described,
        "features": found.features,
        "decisions": found.decisions,
        "batch_ms": times.get(model.variant, {}) if model is not None else {},
        "variants": [
            {
                "variant": info.variant,
                "role": roles.get(info.variant, "model"),
                "digest": info.digest,
                "batch_ms": times.get(info.variant, {}),
            }
            for info in found.models
        ],
        "budget_ms": int(config.deadline.budget) / 1e6,
        "broker": found.broker,
        "topics": found.topics,
        "warnings": [
            {"file": p.origin or None, "line": p.line, "key": p.key or None, "message": p.message}
            for p in placed(loaded, found.warnings)
        ],
    }

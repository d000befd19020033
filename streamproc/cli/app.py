"""Finds the command that is meant, runs it, and turns whatever happens into words and an exit code."""

import importlib
import json
import keyword
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from streamproc.cli.failures import DONE, FAILED, Voice

COMMANDS = {
    "demo": "The main job, end to end, on recorded real traffic.",
    "init": "Make a working project: pipeline, features, model, test.",
    "check": "Find what is wrong with a pipeline, without traffic.",
    "run": "Run a pipeline.",
    "audit": "Hold a pipeline's topics against what it promises.",
    "record": "Record what goes into a pipeline and what comes out.",
    "export": "Say what is in a recording, or write it as Parquet.",
    "import": "Make a recording of JSON lines.",
    "manifest": "Write down which files a model is made of.",
    "dlq": "Dead letters: list them, look at one, put some back.",
    "replay": "A recording through the pipeline again.",
    "scenario": "Scenarios: recordings, what goes wrong, and what must come of it.",
    "slo": "Objectives: Prometheus rules, burn rates, a recording against them.",
    "sweep": "A recording replayed with several values of a setting.",
    "simulate": "The scheduler on a virtual clock, under any load.",
    "diff": "What a candidate decides otherwise than the baseline.",
    "why": "Where an event's time went, and what would have saved it.",
    "bench": "How fast a model is: latency and throughput by MLPerf's scenarios.",
    "profile": "Where the time goes: of a pipeline by stages, lanes and Python, of a model by operators.",
    "optimize": "Cheaper variants of a model, measured on recorded traffic.",
    "top": "A running pipeline in the terminal, live.",
    "drift": "Whether features are distributed as they were when the model was trained.",
    "doctor": "What this machine has and lacks.",
    "schema": "Print the JSON Schemas.",
}
"""The commands and their one line; each is the function of this name in the module of this name, with ``_`` behind
what is a word of Python."""
_USAGE_ERROR: Any = typer.BadParameter.__mro__[
    1
]  # typer's own, or click's: depends on typer's version
_TRACEBACK_VARIABLE = "STREAMPROC_TRACEBACK"
_INTERRUPTED = 130


class LazyGroup(TyperGroup):
    """Loads a command's module when it is called; help and suggestions need only the names."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - typer's or click's
        """The command that is meant, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, _load(str(name)) if command is not None else None, rest


def _load(name: str) -> Any:  # noqa: ANN401 - typer's or click's command
    python_name = f"{name}_" if keyword.iskeyword(name) else name
    module = importlib.import_module(f"streamproc.cli.{python_name}")
    if hasattr(module, "group"):  # a command with commands of its own
        several = typer.main.get_command(module.group)
        several.name = name
        return several
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name, help=COMMANDS[name])(getattr(module, python_name))
    return typer.main.get_command(single)


def _app() -> Any:  # noqa: ANN401 - typer's or click's group
    stubs = {name: TyperCommand(name, help=text) for name, text in COMMANDS.items()}
    return LazyGroup(
        name="streamproc",
        commands=dict(stubs),
        params=[],
        rich_markup_mode=None,
        no_args_is_help=False,
        help="Real-time inference on Kafka streams: an answer in time, or an honest account of why not.",
        epilog="`streamproc COMMAND --help` says more. Exit codes: 0 done, 1 it ran and the answer is bad, "
        "2 the command or configuration is wrong.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: its words; None takes the process's.

    Returns:
        0 done; 1 it ran and the answer is bad; 2 the command or the configuration is wrong.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    traced = "--traceback" in words or os.environ.get(_TRACEBACK_VARIABLE, "") not in ("", "0")
    voice = Voice(json="--json" in words, traced=traced)
    try:
        code = _run(words)
        sys.stdout.flush()
    except BrokenPipeError:  # such as `streamproc schema config | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (KeyboardInterrupt, typer.Abort):
        voice.say("interrupted")
        return _INTERRUPTED
    except _USAGE_ERROR as error:
        return voice.misused(error)
    except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a line
        return voice.failed(error)
    return code


def program() -> None:
    """Run the process's command, and end it with its exit code."""
    code = main()
    from streamproc.cli.hung import leave  # noqa: PLC0415 - most commands have nothing to wait for

    leave(code)


def _run(words: list[str]) -> int:
    if words[:1] == ["--version"]:
        from streamproc.core.version import VERSION  # noqa: PLC0415 - `--help` needs no numpy

        print(json.dumps({"version": VERSION}) if "--json" in words else f"streamproc {VERSION}")
        return DONE
    answer = _app().main(words or ["--help"], prog_name="streamproc", standalone_mode=False)
    return answer if isinstance(answer, int) else DONE

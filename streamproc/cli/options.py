"""Options that several commands have."""

import logging
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streamproc.core import Duration


class LogLevel(StrEnum):
    """How much is logged to stderr."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def set_up_logging(level: LogLevel) -> LogLevel:
    """Log to stderr from this level on; what the libraries say of themselves, from warnings on."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=number, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger().setLevel(number)
    if level is not LogLevel.DEBUG:
        for name in ("aiokafka", "asyncio", "uvicorn"):
            logging.getLogger(name).setLevel(max(number, logging.WARNING))
    return level


def duration(text: str) -> Duration:
    """Read ``15s``.

    Raises:
        BadParameter: it is no duration above 0.
    """
    try:
        length = Duration.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    if length <= 0:
        msg = f"{text!r} must be longer than 0, such as {Duration.example}"
        raise typer.BadParameter(msg)
    return length


def workers(text: str) -> int:
    """Read a number of processes, or ``auto``: as many as this process may use cores.

    Raises:
        BadParameter: it is neither.
    """
    if text == "auto":
        return len(os.sched_getaffinity(0))
    if not text.isdigit() or int(text) < 1:
        msg = f"{text!r} is no number of processes: write 1 or more, or auto"
        raise typer.BadParameter(msg)
    return int(text)


Json = Annotated[
    bool, typer.Option("--json", help="One JSON object on stdout; all else goes to stderr.")
]
Level = Annotated[
    LogLevel,
    typer.Option("--log-level", callback=set_up_logging, help="How much is logged to stderr."),
]
Traceback = Annotated[
    bool,
    typer.Option("--traceback", help="Show where a bug comes from (or STREAMPROC_TRACEBACK=1)."),
]
Config = Annotated[Path, typer.Argument(metavar="CONFIG", help="The pipeline's YAML file.")]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Set a key over the file; may be given several times."
    ),
]

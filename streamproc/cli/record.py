"""``streamproc record``: what goes into a pipeline and what comes out, recorded beside it."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED, located
from streamproc.cli.screen import line, notes_console, print_json
from streamproc.cli.signals import Signals
from streamproc.config import LoadedConfig, load
from streamproc.connectors.capture import not_there
from streamproc.core import Clock, ConfigError, Duration, SystemClock
from streamproc.runtime.beside import BesideRecorder, Recorded, as_json


def record(
    config: options.Config,
    out: Annotated[Path, typer.Option(metavar="F.mcap", help="The file to write.")],
    duration: Annotated[
        Duration | None,
        typer.Option(
            metavar="5m", parser=options.duration, help="End after so long; else at Ctrl-C."
        ),
    ] = None,
    from_: Annotated[
        str,
        typer.Option(
            "--from",
            metavar="now|earliest|10m",
            help="Where to begin: what comes from now on, all that is there, or what is younger than this.",
        ),
    ] = "now",
    set_: options.Set = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Record a pipeline's topics, without a part in its group; the pipeline need not run here, or at all."""
    loaded = load(config, overrides=set_ or ())
    not_there(out)
    clock = SystemClock()
    since_ns = _since_ns(from_, clock)
    with located(loaded):
        recorded = uvloop.run(_record(loaded, out, clock, since_ns=since_ns, duration=duration))
    if json:
        print_json(as_json(recorded))
    else:
        _show(recorded)
    return FAILED if recorded.dropped or not recorded.files else DONE


def _since_ns(text: str, clock: Clock) -> int | None:
    """The instant that ``--from`` names; None for now.

    Raises:
        ConfigError: it names none.
    """
    if text == "now":
        return None
    if text == "earliest":
        return 0
    try:
        return clock.now_ns() - Duration.parse(text)
    except ValueError:
        msg = f"--from {text!r}: write now, earliest, or a duration such as 10m"
        raise ConfigError(msg) from None


async def _record(
    loaded: LoadedConfig,
    out: Path,
    clock: Clock,
    *,
    since_ns: int | None,
    duration: Duration | None,
) -> Recorded:
    recorder = BesideRecorder(loaded.config, out, clock)
    stop = asyncio.Event()
    Signals(stop.set).install()
    await recorder.start(since_ns=since_ns)
    line(notes_console(), f"recording {', '.join(recorder.topics)} to {out}")
    return await recorder.run(stop, duration_ns=duration)


def _show(recorded: Recorded) -> None:
    notes = notes_console()
    files = ", ".join(recorded.files) or "no complete file"
    line(notes, f"{recorded.records:,} records and {recorded.decisions:,} decisions in {files}")
    if not recorded.records:
        line(
            notes,
            "nothing came in that time: does somebody produce? --from earliest records what is there already",
        )
    if recorded.dropped:
        line(notes, f"{recorded.dropped:,} are missing: the disk did not take them", "bold red")
    if recorded.skipped:
        line(notes, f"{recorded.skipped:,} were deleted before they could be read", "bold")

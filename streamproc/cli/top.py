"""``streamproc top``: a running pipeline in the terminal, live."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from streamproc.cli import options
from streamproc.cli.asking import DEFAULT_URL, Endpoints, endpoints_of
from streamproc.cli.failures import DONE
from streamproc.cli.screen import print_json, result_console
from streamproc.cli.top_view import view
from streamproc.core import ExternalError


def top(
    url: Annotated[str, typer.Argument(help="Of the pipeline's endpoints.")] = DEFAULT_URL,
    once: Annotated[
        bool, typer.Option("--once", help="Show it once, as where there is no terminal.")
    ] = False,
    every: Annotated[
        float, typer.Option(min=0.2, max=3600, help="Seconds from one look to the next.")
    ] = 1.0,
    token_file: Annotated[
        Path | None,
        typer.Option(help="Holds telemetry.metrics.token; or STREAMPROC_TOKEN in the environment."),
    ] = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Show outcomes, latency, stages and lag of a running pipeline; ends with Ctrl-C, or when it is gone."""
    endpoints = endpoints_of(url, token_file)
    status = endpoints.status()
    console = result_console(as_json=json)
    if json:
        print_json(status)
        return DONE
    if once or not console.is_terminal:
        console.print(view(status))
        return DONE
    with Live(view(status), console=console, auto_refresh=False, screen=True) as live:
        try:
            _go_on(live, endpoints, every)
        except KeyboardInterrupt:
            return DONE
    return DONE


def _go_on(live: Live, endpoints: Endpoints, every_s: float) -> None:
    while True:
        time.sleep(every_s)
        try:
            live.update(view(endpoints.status()), refresh=True)
        except ExternalError as error:
            if not error.retriable:
                raise
            live.update(f"{error}\nasking again ...", refresh=True)

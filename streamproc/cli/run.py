"""``streamproc run``: the service."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
import uvloop

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED, RunFailedError, located
from streamproc.cli.hung import end_hung
from streamproc.cli.report import Report
from streamproc.cli.screen import line, notes_console, print_json, result_console
from streamproc.cli.signals import Signals
from streamproc.cli.summary import progress_line, show_summary
from streamproc.config import PipelineConfig, hide_in_logs, kafka_source, load
from streamproc.connectors.kafka import KafkaSink, KafkaSource, check_reachable
from streamproc.core import (
    NS_PER_S,
    ConfigError,
    Duration,
    ExternalError,
    Problem,
    SystemClock,
)
from streamproc.runtime import Pipeline, Service, WorkerGroup

if TYPE_CHECKING:
    from streamproc.telemetry import Summary

_PROGRESS_EVERY_S = 5.0


def run(
    config: options.Config,
    set_: options.Set = None,
    workers: Annotated[
        int | None,
        typer.Option(
            metavar="N|auto", parser=options.workers, help="Processes; auto takes one a core."
        ),
    ] = None,
    stop_after: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="End after so many records.")
    ] = None,
    stop_when_idle: Annotated[
        Duration | None,
        typer.Option(
            metavar="5s", parser=options.duration, help="End when nothing came for so long."
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE.html", help="Write a report of the run, a page to look at."),
    ] = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Run a pipeline until SIGTERM or Ctrl-C, which finish what was taken in."""
    loaded = load(config, overrides=set_ or ())
    known = [loaded]

    def redact(text: str) -> str:
        for one in known:
            text = one.redact(text)
        return text

    def reread() -> PipelineConfig:
        """The file as it is now; what was a secret stays one."""
        known.append(load(config, overrides=set_ or ()))
        hide_in_logs(redact)
        return known[-1].config

    with located(loaded):
        pipeline = Pipeline.from_file(loaded)
        page = Report(report, loaded)
        with page.also_of_failures():
            summary = uvloop.run(
                _serve(
                    pipeline,
                    page,
                    redact,
                    reread=reread,
                    workers=workers or 1,
                    stop_after=stop_after,
                    stop_when_idle=stop_when_idle,
                )
            )
        page.write(summary=summary)
    show_summary(result_console(as_json=json), summary)
    if json:
        print_json({**summary, **page.as_json()})
    return DONE if page.is_done else FAILED


async def _serve(
    pipeline: Pipeline,
    page: Report,
    redact: Callable[[str], str],
    *,
    reread: Callable[[], PipelineConfig],
    workers: int,
    stop_after: int | None,
    stop_when_idle: Duration | None,
) -> "Summary":
    """Run it with signals and progress.

    Raises:
        RunFailedError: it was running, and something outside failed for good.
    """
    notes = notes_console()
    running = False

    def ready(address: str | None) -> None:
        nonlocal running
        running = True
        page.begin(service)
        where = f"; endpoints on http://{address}/metrics, /livez, /readyz" if address else ""
        by = f" by {workers} workers" if workers > 1 else ""
        source, sink = pipeline.source, pipeline.sink
        reads = ", ".join(source.topics) if isinstance(source, KafkaSource) else source.path
        writes = sink.topic if isinstance(sink, KafkaSink) else sink.path
        line(notes, f"{pipeline.name}: {reads} -> {writes}{by}{where}")

    service: Service | WorkerGroup
    kill: Callable[[], None] | None = None
    if workers == 1:
        service = Service(
            pipeline,
            pipeline.parts(),
            stop_after=stop_after,
            stop_when_idle_ns=stop_when_idle,
            on_ready=ready,
            reread=reread,
            on_hang=end_hung,
        )
    else:
        if pipeline.serve is not None:
            problem = Problem("a front door needs one process: leave --workers out, or it", "serve")
            raise ConfigError(problem)
        # A worker would say it too, when it has loaded and measured its model.
        servers = kafka_source(pipeline, "--workers").bootstrap_servers
        await check_reachable("source.kafka", servers)
        service = WorkerGroup(
            pipeline,
            workers,
            clock=SystemClock(),
            stop_after=stop_after,
            stop_when_idle_ns=stop_when_idle,
            on_ready=ready,
            redact=redact,
            reread=reread,
        )
        kill = service.kill
    Signals(service.stop, kill, service.reload).install()
    watching = asyncio.create_task(_progress(service)) if notes.is_terminal else None
    try:
        return await service.run()
    except ExternalError as error:
        if running:
            raise RunFailedError(str(error)) from error
        raise
    finally:
        await page.end()
        if watching is not None:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching


async def _progress(service: Service | WorkerGroup) -> None:
    """A line every few seconds."""
    notes, clock = notes_console(), SystemClock()
    before, before_ns = 0, clock.now_ns()
    while True:
        await asyncio.sleep(_PROGRESS_EVERY_S)
        summary, now_ns = service.summary(), clock.now_ns()
        if summary is None:
            continue
        rate = (summary["consumed"] - before) * NS_PER_S / (now_ns - before_ns)
        before, before_ns = summary["consumed"], now_ns
        lag = sum(service.gauges().lag_records.values())
        line(notes, progress_line(summary, rate_per_s=rate, lag=lag), "dim")

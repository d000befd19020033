"""``streamproc demo``: the main job, end to end, on recorded real traffic."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from streamproc.cli import options
from streamproc.cli.assets import asset
from streamproc.cli.demo_broker import DemoBroker, EmbeddedDemoBroker
from streamproc.cli.demo_plan import Plan, make_plan
from streamproc.cli.demo_report import demo_report, write_demo_report
from streamproc.cli.demo_session import Ended, Session
from streamproc.cli.demo_view import show_end, show_start
from streamproc.cli.failures import DONE, FAILED, located
from streamproc.cli.init import DEFAULT_TEMPLATE, TEMPLATES, find_template
from streamproc.cli.report import Report
from streamproc.cli.screen import notes_console, print_json, result_console
from streamproc.connectors.kafka import EmbeddedBroker, address_of
from streamproc.core import NS_PER_MS, ConfigError, Duration
from streamproc.replay import SAMPLES, Playable, open_recording

_RECORDINGS = {
    "audio": ("audio", "calls.npz"),
    "market": ("market", "btcusdt.jsonl.gz"),
    "market-quotes": ("market", "ticks.jsonl.gz"),
    "sensor": ("sensor", "exercises.npz"),
    "sensor-samples": ("sensor", "exercises.npz" + SAMPLES),
}
_PAUSES_NS = {"sensor-samples": 25 * NS_PER_MS}
"""Two thousand samples a second come as from gateways, a few together, not each in a request of its own."""
_EMBEDDED = "embedded"


def demo(
    template: Annotated[
        str, typer.Option(metavar=TEMPLATES, help="Which pipeline.")
    ] = DEFAULT_TEMPLATE,
    broker: Annotated[
        str, typer.Option(metavar="embedded|HOST:PORT", help="Which Kafka.")
    ] = _EMBEDDED,
    rate: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            min=0.1,
            max=1e6,
            help="Events a second in the mean; bursts are kept. Default: as recorded.",
        ),
    ] = None,
    length: Annotated[
        Duration,
        typer.Option(
            "--duration", metavar="15s", parser=options.duration, help="How long it plays."
        ),
    ] = "15s",  # type: ignore[assignment]  # typer reads it with the parser
    overload: Annotated[
        float | None,
        typer.Option(
            metavar="X",
            min=0.1,
            max=1000,
            help="Pretend a device that can do only 1/X of the load, to see shedding.",
        ),
    ] = None,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="For the endpoints; port 0 takes a free one.")
    ] = "127.0.0.1:0",
    keep_topics: Annotated[
        bool, typer.Option(help="Whether the demo's topics stay on a real broker.")
    ] = True,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.html", help="Where the report goes.", show_default="streamproc-demo.html"
        ),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep a recording of it, for `streamproc replay`."),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no report.")] = False,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Play recorded real traffic through a pipeline, and verify its promises from the outside."""
    folder = find_template(template)
    recording = recording_of(template)
    notes = notes_console()
    with _broker(broker, keep_topics=keep_topics) as place:
        plan = make_plan(
            folder / "pipeline.yaml",
            recording,
            place=place,
            duration_ns=int(length),
            rate_per_s=rate,
            overload=overload,
            listen=listen,
            record=record,
            pause_ns=_PAUSES_NS.get(template, 0),
        )
        page = demo_report(report, plan.loaded, wanted=not no_report)
        show_start(notes, plan)
        with located(plan.loaded), page.also_of_failures():
            ended = uvloop.run(_play(plan, page))
    write_demo_report(page, plan, ended)
    show_end(result_console(as_json=json), plan, ended)
    if json:
        print_json({**ended.as_json(plan), **page.as_json()})
    return DONE if ended.verdict.ok and page.is_done else FAILED


def recording_of(template: str) -> Playable:
    """The recording that a template's demo plays."""
    folder, name = _RECORDINGS[template]
    file = asset("replay", folder, name.removesuffix(SAMPLES))
    return open_recording(file.with_name(name))


async def _play(plan: Plan, page: Report) -> Ended:
    return await Session(plan, page).run()


@contextlib.contextmanager
def _broker(name: str, *, keep_topics: bool) -> Iterator[DemoBroker]:
    if name != _EMBEDDED:
        for server in name.split(","):
            try:
                address_of(server)
            except ValueError as error:
                msg = f"--broker: {error}"
                raise ConfigError(msg) from None
        yield DemoBroker(name, keep_topics=keep_topics)
        return
    with EmbeddedBroker() as embedded:
        yield EmbeddedDemoBroker(embedded.servers)

"""``streamproc slo``: rules for Prometheus, burn rates now, a recording against the objectives."""

from pathlib import Path
from typing import Annotated

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED, located
from streamproc.cli.replay_plan import choose, latency_models, say_recording
from streamproc.cli.screen import line, notes_console, print_json, result_console
from streamproc.cli.slo_rules import Written, as_text, labels_of, write
from streamproc.cli.slo_status import fetch, show_status
from streamproc.cli.slo_test import hold_against, show_test
from streamproc.config import LoadedConfig, load
from streamproc.connectors.capture import CaptureReader
from streamproc.core import ConfigError

group = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    help="Objectives: Prometheus rules, burn rates, a recording against them.",
)


@group.command("rules")
def rules(
    config: options.Config,
    set_: options.Set = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write rules and unit tests there, two files an objective."
        ),
    ] = None,
    selector: Annotated[
        str,
        typer.Option(metavar='job="ticks"', help="Matchers that every series must have besides."),
    ] = "",
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Recording and alerting rules for Prometheus, and their unit tests for `promtool test rules`."""
    loaded = _with_objectives(load(config, overrides=set_ or ()))
    pipeline, objectives = loaded.config.name, loaded.config.slo
    written: list[Written] = []
    labels = labels_of(selector)
    if out is not None:
        written = write(out, pipeline, objectives, selector, labels)
        for each in written:
            line(notes_console(), f"wrote {each.rules} and {each.tests}")
    if json:
        files = [{"slo": w.slo, "rules": str(w.rules), "tests": str(w.tests)} for w in written]
        text = None if written else as_text(pipeline, objectives, selector)
        print_json({"pipeline": pipeline, "files": files, "rules": text})
    elif out is None:
        print(as_text(pipeline, objectives, selector), end="")
    return DONE


@group.command("status")
def status(
    config: options.Config,
    url: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="Of the endpoints; else those of the configuration."),
    ] = None,
    set_: options.Set = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Burn rates and what is left of the budgets, now, from the running service; 1 where a page fires."""
    loaded = _with_objectives(load(config, overrides=set_ or ()))
    with located(loaded):
        found = fetch(loaded.config.telemetry.metrics, url)
    if json:
        print_json({"pipeline": loaded.config.name, "slo": found})
    show_status(result_console(as_json=json), found)
    fires = any(
        one["no_data"] or any(b["firing"] and b["severity"] == "page" for b in one["burn"])
        for one in found
    )
    return FAILED if fires else DONE


@group.command("test")
def hold(
    config: options.Config,
    capture: Annotated[Path, typer.Option("--capture", metavar="F.mcap", help="The recording.")],
    set_: options.Set = None,
    topic: Annotated[
        list[str] | None, typer.Option(help="Only this topic; may be given several times.")
    ] = None,
    start: Annotated[str | None, typer.Option(metavar="10s|INSTANT", help="From here on.")] = None,
    end: Annotated[str | None, typer.Option(metavar="20s|INSTANT", help="Up to here.")] = None,
    load_: Annotated[
        float,
        typer.Option(
            "--load", metavar="X", min=0.001, max=1000.0, help="So many times the traffic."
        ),
    ] = 1.0,
    latency_model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[VARIANT=]F.json", help="Batch times that were saved; else the recording's."
        ),
    ] = None,
    simulated: Annotated[
        bool, typer.Option("--simulated", help="The model's times without its answers.")
    ] = False,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """A recording through the pipeline on a virtual clock, held against the objectives; 1 where one is violated."""
    loaded = _with_objectives(load(config, overrides=set_ or ()))
    reader = CaptureReader(capture)
    chosen = choose(reader, loaded.config, topics=topic or (), start=start, end=end)
    say_recording(reader)
    with located(loaded):
        found = hold_against(
            loaded,
            chosen,
            load=load_,
            simulated=simulated,
            saved=latency_models(latency_model or (), loaded.config),
        )
    show_test(result_console(as_json=json), found)
    if json:
        print_json(found.as_json())
    return DONE if found.is_kept else FAILED


def _with_objectives(loaded: LoadedConfig) -> LoadedConfig:
    if not loaded.config.slo:
        msg = (
            "there are no objectives: write slo: [{name: on-time, objective: 99.0, good: on_time}]"
        )
        raise ConfigError(loaded.problem("slo", msg))
    return loaded

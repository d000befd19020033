"""``streamproc simulate``: the pipeline's scheduler on a virtual clock, under any load."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, located
from streamproc.cli.screen import line, notes_console, print_json, result_console
from streamproc.cli.simulate_measure import measure as measure_model
from streamproc.cli.simulate_plan import (
    CAPACITY,
    SHAPES,
    Asked,
    machine_of,
    parse_lanes,
    parse_loads,
    rules_of,
    traffics_of,
)
from streamproc.cli.simulate_scope import left_out, refuse_what_decides
from streamproc.cli.simulate_view import as_json, page, show
from streamproc.config import load as load_config
from streamproc.core import Duration
from streamproc.replay.simulation import compare, load_one_per_s
from streamproc.reports import ReportFile, render_comparison
from streamproc.scheduling import PlannerName

_RATE = "RATE|capacity"


def simulate(
    config: options.Config,
    set_: options.Set = None,
    arrivals: Annotated[
        Path | None,
        typer.Option(metavar="F.csv", help="Arrivals: arrival_ns[,deadline_ns[,key[,value]]]."),
    ] = None,
    capture: Annotated[
        Path | None,
        typer.Option(metavar="F.mcap", help="The arrivals of a recording, with their lags."),
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(
            metavar="F.jsonl[.gz]", help="The times of a recording, as `demo` plays them."
        ),
    ] = None,
    poisson: Annotated[
        str | None, typer.Option(metavar=_RATE, help="Arrivals without memory (the default).")
    ] = None,
    bursty: Annotated[
        str | None, typer.Option(metavar=_RATE, help="Bursts of 40 ms, ten times the rate between.")
    ] = None,
    diurnal: Annotated[
        str | None, typer.Option(metavar=_RATE, help="A day's wave in the duration.")
    ] = None,
    flash_crowd: Annotated[
        str | None, typer.Option(metavar=_RATE, help="A sudden rush to ten times the rate.")
    ] = None,
    step: Annotated[
        str | None, typer.Option(metavar=_RATE, help="Three times the rate from the middle on.")
    ] = None,
    load: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X|X,Y|X..Y",
            help="Scale to multiples of the capacity; may be given several times.",
        ),
    ] = None,
    length: Annotated[
        Duration | None,
        typer.Option(
            "--duration",
            metavar="10s",
            parser=options.duration,
            help="Of generated ones; by default as long as 250,000 events take, at most 10s.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    everything: Annotated[
        bool, typer.Option("--compare", help="All planners, beside the configured one.")
    ] = False,
    lane: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=PART", help="The part of the events in a lane, such as critical=0.2."
        ),
    ] = None,
    latency_model: Annotated[
        list[str] | None,
        typer.Option(metavar="[VARIANT=]F.json", help="Batch times that a run has saved."),
    ] = None,
    measure: Annotated[
        Path | None,
        typer.Option(
            metavar="F.json", help="Measure the model here first, and save its batch times."
        ),
    ] = None,
    executors: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Batches that run at the same time.")
    ] = None,
    send: Annotated[
        Duration,
        typer.Option(
            metavar="1ms",
            parser=options.duration,
            help="From a batch's end to the broker's answer.",
        ),
    ] = "1ms",  # type: ignore[assignment]  # typer reads it with the parser
    jitter: Annotated[
        float, typer.Option(min=0.0, max=10.0, help="How much longer times are: by |x|, x normal.")
    ] = 0.0,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a report with plots.")
    ] = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Say what the pipeline would answer in time, beside the most that anyone could."""
    shapes = dict(zip(SHAPES, (poisson, bursty, diurnal, flash_crowd, step), strict=True))
    asked = _asked(
        shapes,
        {"arrivals": arrivals, "capture": capture, "recording": recording},
        load or [],
        None if length is None else int(length),
    )
    loaded = load_config(config, overrides=set_ or ())
    try:
        lanes = parse_lanes(lane or [], [one.name for one in loaded.config.lanes])
    except ValueError as error:
        msg = f"--lane: {error}"
        raise typer.BadParameter(msg) from None
    file = None if report is None else ReportFile(report)
    with located(loaded):
        settings = loaded.config
        refuse_what_decides(loaded)
        missing = list(left_out(settings))
        for words in missing:
            line(notes_console(), f"not simulated: {words}")
        saved = latency_model or []
        if measure is not None:
            saved = [*measure_model(loaded, measure), *saved]
            line(notes_console(), f"measured: {', '.join(saved)}")
        machine = machine_of(loaded, saved, executors=executors, send_ns=int(send), jitter=jitter)
        rules = rules_of(settings)
        traffics = traffics_of(replace(asked, lanes=lanes), settings, machine, seed=seed)
        own = settings.batching.policy
        planners: list[PlannerName] = [own]
        if everything:
            planners += [name for name in get_args(PlannerName) if name != own]
        capacity = load_one_per_s(machine, budget_ns=int(settings.deadline.budget))
        for at, traffic in traffics.items():
            line(notes_console(), f"{at:g}x: {len(traffic):,} events")
        trials = list(compare(traffics, machine, rules, planners, seed=seed))
    show(result_console(as_json=json), settings, trials, capacity_per_s=capacity)
    if file is not None:
        file.write(render_comparison(page(settings, trials, machine, capacity, asked, seed=seed)))
        line(notes_console(), f"report: {file.path}")
    if json:
        found: dict[str, Any] = as_json(settings, trials, capacity_per_s=capacity)
        found["left_out"] = missing
        print_json(found if file is None else {**found, "report": str(file.path)})
    return DONE


def _asked(
    shapes: dict[str, str | None],
    files: dict[str, Path | None],
    loads: list[str],
    duration_ns: int | None,
) -> Asked:
    """Which arrivals; at most one kind may be named."""
    named = [name for name, rate in shapes.items() if rate is not None]
    named += [name for name, path in files.items() if path is not None]
    if len(named) > 1:
        both = " and ".join(f"--{name}" for name in named)
        msg = f"{both} cannot go together: name one kind of arrivals"
        raise typer.BadParameter(msg)
    try:
        parsed = parse_loads(loads)
    except ValueError as error:
        msg = f"--load: {error}"
        raise typer.BadParameter(msg) from None
    shape = named[0] if named else "poisson"
    rate = shapes.get(shape) or ("" if shape == "recording" else CAPACITY)
    return Asked(shape, rate, files.get(shape), parsed, duration_ns)

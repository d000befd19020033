"""``streamproc bench``: how fast a model is, by the scenarios of MLPerf's LoadGen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED
from streamproc.cli.screen import line, notes_console, print_json, result_console, table
from streamproc.core import NS_PER_MS, Clock, ConfigError, Duration, SystemClock
from streamproc.modeling.bench import SCENARIOS, Outcome, Scenario, Shape, run_scenario
from streamproc.modeling.bench.targets import EXECUTORS, Target, batches_of, targets
from streamproc.reports import BenchPage, BenchRun, ReportFile, render_bench

_SECOND = Duration.parse("1s")
_LIMIT = Duration.parse("10ms")


@dataclass(frozen=True, slots=True)
class _Run:
    target: str
    threads: int | None
    runs_on: str
    outcome: Outcome


def bench(
    target: Annotated[
        Path, typer.Argument(metavar="CONFIG|MODEL", help="A pipeline's file, or an ONNX file.")
    ],
    scenario: Annotated[
        str, typer.Option(metavar="NAME,NAME", help=f"Of {', '.join(SCENARIOS)}.")
    ] = ",".join(SCENARIOS),
    batch: Annotated[
        str, typer.Option(metavar="1,8,32", help="Largest batches of server and offline.")
    ] = "1,8,32",
    threads: Annotated[str, typer.Option(metavar="1,2", help="Threads inside one operator.")] = "1",
    executor: Annotated[
        str, typer.Option(metavar="NAME,NAME", help=f"For a model, of {', '.join(EXECUTORS)}.")
    ] = EXECUTORS[0],
    duration: Annotated[
        Duration, typer.Option(metavar="1s", parser=options.duration, help="Of each run.")
    ] = _SECOND,
    limit: Annotated[
        Duration,
        typer.Option(
            metavar="10ms", parser=options.duration, help="Of the server's 99th percentile."
        ),
    ] = _LIMIT,
    inputs: Annotated[
        Path | None,
        typer.Option(metavar="F.npz", help="Recorded inputs; else random numbers."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page with plots.")
    ] = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Measure latency and throughput; exit 1 where the server scenario cannot keep to its limit at any rate."""
    page = None if report is None else ReportFile(report)
    chosen = _chosen(scenario)
    sizes, counts = _whole(batch, "--batch"), _whole(threads, "--threads")
    shape = Shape(duration_ns=int(duration), limit_ns=int(limit), seed=seed)
    clock, runs = SystemClock(), []
    for one in targets(target, executor.split(","), counts, clock):
        try:
            runs += _measured(one, chosen, sizes, shape, inputs, clock)
        finally:
            one.executor.close()
    _show(runs, as_json=json)
    if page is not None:
        page.write(render_bench(_page(target, runs, shape)))
        line(result_console(as_json=json), str(report), "green")
    if json:
        print_json(
            {"target": str(target), "limit_ms": limit / NS_PER_MS, "runs": [_told(r) for r in runs]}
        )
    return DONE if all(run.outcome.valid for run in runs) else FAILED


def _measured(
    one: Target,
    chosen: Sequence[Scenario],
    sizes: Sequence[int],
    shape: Shape,
    inputs: Path | None,
    clock: Clock,
) -> list[_Run]:
    given = batches_of(one.executor.info, inputs, shape.seed)
    runs = []
    for name in chosen:
        for size in sizes if name in ("server", "offline") else sizes[:1]:
            line(notes_console(), f"{one.name}, {name}")
            outcome = run_scenario(name, one.executor, given, clock, replace(shape, batch_max=size))
            runs.append(_Run(one.name, one.threads, one.executor.info.runs_on, outcome))
    return runs


def _chosen(text: str) -> list[Scenario]:
    names = text.split(",")
    found = [name for name in SCENARIOS if name in names]
    if len(found) != len(names):
        msg = f"--scenario: {text!r} must be some of {', '.join(SCENARIOS)}"
        raise ConfigError(msg)
    return found


def _whole(text: str, option: str) -> list[int]:
    parts = text.split(",")
    if not all(part.isdigit() and int(part) > 0 for part in parts):
        msg = f"{option}: {text!r} must be whole numbers above 0, with commas between them"
        raise ConfigError(msg)
    return [int(part) for part in parts]


def _show(runs: Sequence[_Run], *, as_json: bool) -> None:
    head = ("executor", "threads", "scenario", "batch", "mean ms", "p50", "p90", "p99", "p99.9")
    rows = table(*head, "events/s", "")
    for run in runs:
        found, latency = run.outcome, run.outcome.latency
        times = (latency.mean, latency.p50, latency.p90, latency.p99, latency.p999)
        rows.add_row(
            run.target,
            "-" if run.threads is None else str(run.threads),
            found.scenario,
            str(found.batch),
            *(f"{ns / NS_PER_MS:.3f}" for ns in times),
            f"{found.throughput_per_s:,.0f}",
            "" if found.valid else "beyond the limit at any rate",
        )
    result_console(as_json=as_json).print(rows)


def _told(run: _Run) -> dict[str, Any]:
    found, latency = run.outcome, run.outcome.latency
    return {
        "executor": run.target,
        "runs_on": run.runs_on,
        "threads": run.threads,
        "scenario": found.scenario,
        "batch": found.batch,
        "latency_ms": {
            "mean": latency.mean / NS_PER_MS,
            "p50": latency.p50 / NS_PER_MS,
            "p90": latency.p90 / NS_PER_MS,
            "p99": latency.p99 / NS_PER_MS,
            "p999": latency.p999 / NS_PER_MS,
        },
        "runs": latency.runs,
        "throughput_per_s": found.throughput_per_s,
        "figure": found.figure,
        "valid": found.valid,
    }


def _page(target: Path, runs: Sequence[_Run], shape: Shape) -> BenchPage:
    return BenchPage(
        target=target.name,
        runs=[
            BenchRun(
                executor=run.target
                if run.threads is None
                else f"{run.target}, {run.threads} threads",
                scenario=run.outcome.scenario,
                batch=run.outcome.batch,
                mean_ns=run.outcome.latency.mean,
                p50_ns=run.outcome.latency.p50,
                p99_ns=run.outcome.latency.p99,
                throughput_per_s=run.outcome.throughput_per_s,
            )
            for run in runs
        ],
        facts={
            "runs on": ", ".join(dict.fromkeys(run.runs_on for run in runs)),
            "limit of the server's p99": f"{shape.limit_ns / NS_PER_MS:g} ms",
            "each run": f"{shape.duration_ns / 1e9:g} s",
        },
    )

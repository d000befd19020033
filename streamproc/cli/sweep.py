"""``streamproc sweep``: a recording replayed with several values of a setting, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, located
from streamproc.cli.replay_plan import choose, latency_models, say_recording
from streamproc.cli.replay_run import Job, run_virtual
from streamproc.cli.screen import line, notes_console, print_json, result_console, table
from streamproc.config import load as load_config
from streamproc.connectors.capture import CaptureReader
from streamproc.core import Duration
from streamproc.replay.playback import Playback
from streamproc.reports import ReportFile, SweepPage, SweptRun, render_sweep, share
from streamproc.runtime import Pipeline
from streamproc.telemetry import Summary

RUNS_MAX = 200
"""More are a mistake rather than a wish: each is a whole replay."""
_OPENING, _CLOSING, _QUOTES = "[{(", "]})", "'\""


def sweep(
    capture: Annotated[Path, typer.Argument(metavar="F.mcap", help="The recording.")],
    config: options.Config,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=A,B,C",
            help="Values of a key, each replayed; may be given several times. One value is just set.",
        ),
    ] = None,
    load: Annotated[
        str, typer.Option(metavar="X,Y", help="Multiples of the recorded traffic.")
    ] = "1",
    answers: Annotated[
        bool, typer.Option("--answers/--no-answers", help="Whether the model really runs.")
    ] = False,
    start: Annotated[str | None, typer.Option(metavar="10s|INSTANT", help="From here on.")] = None,
    end: Annotated[str | None, typer.Option(metavar="20s|INSTANT", help="Up to here.")] = None,
    topic: Annotated[
        list[str] | None, typer.Option(help="Only this topic; may be given several times.")
    ] = None,
    latency_model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[VARIANT=]F.json", help="Batch times that were saved; else the recording's."
        ),
    ] = None,
    send: Annotated[
        Duration | None,
        typer.Option(
            metavar="1ms", parser=options.duration, help="Of sending; else the recording's."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page with plots.")
    ] = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Say how the recording would have gone with each of the values."""
    trials = trials_of(set_ or (), load)
    if len(trials) == 1:
        raise typer.BadParameter("nothing varies: --set deadline.budget=20ms,50ms, or --load 1,2,3")
    file = None if report is None else ReportFile(report)
    reader = CaptureReader(capture)
    say_recording(reader)
    found: list[tuple[Trial, Summary]] = []
    # All before the first runs: a mistake in the last one would be found after all others had run.
    files = [load_config(config, overrides=trial.overrides) for trial in trials]
    for trial, loaded in zip(trials, files, strict=True):
        chosen = choose(reader, loaded.config, topics=topic or (), start=start, end=end)
        saved = latency_models(latency_model or (), loaded.config)
        with located(loaded):
            job = Job(
                pipeline=Pipeline.from_file(loaded),
                chosen=chosen,
                playback=Playback(load=trial.load, seed=seed),
                simulated=not answers,
                saved=saved,
                send_ns=send,
            )
            found.append((trial, run_virtual(job).summary))
        line(notes_console(), f"{len(found)} of {len(trials)}: {trial.words}", "dim")
    runs = [_swept(trial, summary) for trial, summary in found]
    _show(runs, as_json=json)
    if file is not None:
        facts = {
            "recording": capture.name,
            "seed": str(seed),
            "answers": "real" if answers else "left out",
        }
        name = found[0][1]["pipeline"]
        file.write(render_sweep(SweepPage(pipeline=name, runs=runs, facts=facts)))
        line(notes_console(), f"report: {file.path}")
    if json:
        told: dict[str, Any] = {
            "pipeline": found[0][1]["pipeline"],
            "runs": [{"set": dict(trial.values), **summary} for trial, summary in found],
        }
        print_json(told if file is None else {**told, "report": str(file.path)})
    return DONE


@dataclass(frozen=True, slots=True)
class Trial:
    """One setting of all that varies.

    Attributes:
        values: by key, those that vary; the load among them, where it does.
        overrides: what is set, ``KEY=VALUE`` each.
        load: the multiple of the traffic.
    """

    values: dict[str, str]
    overrides: tuple[str, ...]
    load: float = 1.0

    @property
    def words(self) -> str:
        """For people."""
        return ", ".join(f"{key} {text}" for key, text in self.values.items())


def trials_of(settings: Sequence[str], loads: str) -> list[Trial]:
    """All combinations, the first key changing slowest.

    Args:
        settings: ``KEY=A,B,C`` each; commas in brackets or quotes belong to a value.
        loads: ``1,2,3``.

    Raises:
        BadParameter: a setting has no key, a load is none, or there are too many.
    """
    choices: list[list[tuple[str, str, bool]]] = []
    for text in settings:
        key, equals, values = text.partition("=")
        if not equals or not key:
            msg = f"--set {text}: write KEY=VALUE or KEY=A,B,C, such as deadline.budget=20ms,50ms"
            raise typer.BadParameter(msg)
        several = split_values(values)
        choices.append([(key, value, len(several) > 1) for value in several])
    try:
        multiples = [float(text) for text in loads.split(",")]
    except ValueError:
        multiples = [0.0]
    if min(multiples) <= 0:
        msg = f"--load {loads}: write multiples of the recorded traffic, such as 1,2,3"
        raise typer.BadParameter(msg)
    found = [
        Trial(
            {key: value for key, value, varies in chosen if varies},
            tuple(f"{key}={value}" for key, value, _ in chosen),
        )
        for chosen in product(*choices)
    ]
    if len(multiples) > 1:
        found = [
            replace(trial, values={**trial.values, "load": f"{load:g}x"}, load=load)
            for trial in found
            for load in multiples
        ]
    else:
        found = [replace(trial, load=multiples[0]) for trial in found]
    if len(found) > RUNS_MAX:
        msg = f"{len(found)} combinations are too many: at most {RUNS_MAX}"
        raise typer.BadParameter(msg)
    return found


def split_values(text: str) -> list[str]:
    """The values between commas; those in brackets or quotes stay together."""
    found, depth, quote, begin = [], 0, "", 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in _QUOTES:
            quote = letter
        elif letter in _OPENING:
            depth += 1
        elif letter in _CLOSING:
            depth -= 1
        elif letter == "," and not depth:
            found.append(text[begin:place].strip())
            begin = place + 1
    return [*found, text[begin:].strip()]


def _swept(trial: Trial, summary: Summary) -> SweptRun:
    outcomes = summary["outcomes"]
    in_time = outcomes["on_time"] + outcomes["degraded"]
    duration_s = summary["duration_s"]
    return SweptRun(
        values=trial.values,
        events=summary["consumed"],
        in_time=in_time,
        degraded=outcomes["degraded"],
        late=outcomes["late"],
        shed=summary["reasons"],
        goodput_per_s=in_time / duration_s if duration_s else 0.0,
        p99_ns=round(summary["latency_ms"].get("p99", 0.0) * 1e6),
    )


def _show(runs: Sequence[SweptRun], *, as_json: bool) -> None:
    keys = list(runs[0].values)
    rows = table(
        *keys, "events", "in time", "share", "degraded", "late", "goodput/s", "p99 ms", "shed"
    )
    for run in runs:
        shed = ", ".join(f"{name} {number:,}" for name, number in run.shed.items())
        rows.add_row(
            *run.values.values(),
            f"{run.events:,}",
            f"{run.in_time:,}",
            share(run.in_time, run.events) or "-",
            f"{run.degraded:,}",
            f"{run.late:,}",
            f"{run.goodput_per_s:,.0f}",
            f"{run.p99_ns / 1e6:.2f}" if run.p99_ns else "-",
            shed,
        )
    result_console(as_json=as_json).print(rows)

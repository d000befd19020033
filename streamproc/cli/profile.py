"""``streamproc profile``: where the time goes.

What is profiled follows from what is named: a configuration with a recording, a pipeline that runs, by its address or
its process, or a model's file.
"""

import tempfile
import time
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from streamproc.cli import options
from streamproc.cli.asking import Endpoints, endpoints_of
from streamproc.cli.failures import DONE, located
from streamproc.cli.profile_model import profile_onnx
from streamproc.cli.profile_replay import profile_replay
from streamproc.cli.profile_view import show
from streamproc.cli.screen import line, notes_console, print_json, result_console
from streamproc.config import load
from streamproc.core import NS_PER_S, Duration
from streamproc.replay.profile import PySpy, Spied
from streamproc.reports import Profile, ReportFile, StageShare, render_profile

_HERE = frozenset(("127.0.0.1", "localhost", "::1"))
_MODEL = ".onnx"


def profile(
    target: Annotated[
        str,
        typer.Argument(
            help="CONFIG with --capture; of a running pipeline its address or its process's number; or a model's ONNX file."
        ),
    ],
    capture: Annotated[
        Path | None, typer.Option(help="The recording that goes through the pipeline.")
    ] = None,
    set_: options.Set = None,
    out: Annotated[Path, typer.Option(help="The report.")] = Path("streamproc-profile.html"),
    duration: Annotated[
        int, typer.Option(parser=options.duration, help="How long a running pipeline is looked at.")
    ] = Duration.parse("10s"),
    rate: Annotated[
        int, typer.Option(min=1, max=1000, help="Samples of Python a second; 100 to 500 is usual.")
    ] = 200,
    token_file: Annotated[
        Path | None, typer.Option(help="Holds telemetry.metrics.token; or STREAMPROC_TOKEN.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Of a model: events of a run.")] = 32,
    inputs: Annotated[
        Path | None,
        typer.Option(metavar="F.npz", help="Of a model: recorded inputs; else random numbers."),
    ] = None,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Time by stage and by lane, the model's operators, and a flame graph of Python; or a model's operators alone."""
    if target.endswith(_MODEL):
        return profile_onnx(Path(target), batch=batch, inputs=inputs, json=json)
    report = ReportFile(out)
    if _is_running(target):
        if capture is not None:
            raise typer.BadParameter("--capture goes with a configuration, not with what runs")
        found = _running(target, duration / NS_PER_S, rate, token_file)
    else:
        if capture is None:
            msg = f"{target} needs --capture F.mcap: what goes through it (streamproc record makes one)"
            raise typer.BadParameter(msg)
        loaded = load(target, overrides=set_ or ())
        with located(loaded):
            found = profile_replay(loaded, capture, rate=rate)
    report.write(render_profile(found))
    for note in found.notes:
        line(notes_console(), note, "yellow")
    show(result_console(as_json=json), found, out)
    if json:
        print_json(found.as_dict() | {"out": str(out)})
    return DONE


def _is_running(target: str) -> bool:
    host, _, port = target.rpartition(":")
    return target.isdecimal() or "://" in target or (bool(host) and port.isdecimal())


def _running(target: str, seconds: float, rate: int, token_file: Path | None) -> Profile:
    """Look at what runs."""
    with tempfile.TemporaryDirectory(prefix="streamproc-profile-") as folder:
        if target.isdecimal():
            with PySpy(int(target), Path(folder), rate=rate) as spy:
                time.sleep(seconds)
            return _profile(f"process {target}", seconds, {}, spy.seen)
        endpoints = endpoints_of(target, token_file)
        before = endpoints.status()
        if urlsplit(endpoints.url).hostname in _HERE:
            with PySpy(before["pid"], Path(folder), rate=rate) as spy:
                time.sleep(seconds)
            seen = spy.seen
        else:
            time.sleep(seconds)
            seen = Spied(lacking="its Python is not looked at: it runs on another machine")
        return _of_status(endpoints, seconds, seen)


def _of_status(endpoints: Endpoints, seconds: float, seen: Spied) -> Profile:
    status = endpoints.status()
    name = (status["summary"] or {}).get("pipeline", endpoints.url)
    return _profile(name, seconds, status["recent"] or {}, seen)


def _profile(name: str, seconds: float, lately: dict[str, object], seen: Spied) -> Profile:
    stages = lately.get("stages_ms")
    means = {k: v["mean"] for k, v in stages.items()} if isinstance(stages, dict) else {}
    whole_ms = sum(means.values()) or 1.0
    per_s = lately.get("consumed_per_s")
    events = round(per_s * seconds) if isinstance(per_s, float | int) else 0
    return Profile(
        name=name,
        what=f"as it ran, for {seconds:g} s",
        events=events,
        wall_s=seconds,
        cpu_s=None,
        stages=[
            StageShare(stage, mean_ms / whole_ms, mean_ms * 1e3, "mean latency of an event")
            for stage, mean_ms in means.items()
        ],
        stacks=seen.stacks,
        notes=[seen.lacking] if seen.lacking else [],
    )

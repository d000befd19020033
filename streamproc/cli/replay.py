"""``streamproc replay``: a recording through the pipeline again."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from streamproc.cli import options
from streamproc.cli.failures import DONE, FAILED, located
from streamproc.cli.replay_plan import Chosen, Pace, choose, latency_models, pace, say_recording
from streamproc.cli.replay_run import Job, run_recorded, run_virtual
from streamproc.cli.replay_view import show, show_produced
from streamproc.cli.replay_wall import run_produce, run_wall
from streamproc.cli.screen import line, notes_console, print_json, result_console
from streamproc.config import load as load_config
from streamproc.connectors.capture import CaptureReader
from streamproc.core import Duration
from streamproc.replay.playback import Playback
from streamproc.runtime import Pipeline


class ClockName(StrEnum):
    """Whose time it is."""

    VIRTUAL = "virtual"
    WALL = "wall"
    RECORDED = "recorded"


class Timestamps(StrEnum):
    """Which timestamps records are sent with."""

    ORIGINAL = "original"
    SHIFTED = "shifted"


class Executors(StrEnum):
    """What answers."""

    REAL = "real"
    SIMULATED = "simulated"


def replay(
    capture: Annotated[Path, typer.Argument(metavar="F.mcap", help="The recording.")],
    config: options.Config,
    set_: options.Set = None,
    clock: Annotated[
        ClockName | None,
        typer.Option(
            help="virtual (the default): nothing waits, the same bytes each time. wall: at its pace. recorded: a live run's "
            "outcomes again, exactly."
        ),
    ] = None,
    speed: Annotated[
        str, typer.Option(metavar="1|N|max", help="How many times quicker than it was.")
    ] = "1",
    load: Annotated[float, typer.Option(metavar="X", help="So many times the traffic.")] = 1.0,
    max_gap: Annotated[
        Duration | None,
        typer.Option(metavar="2s", parser=options.duration, help="Cut longer pauses to this."),
    ] = None,
    start: Annotated[str | None, typer.Option(metavar="10s|INSTANT", help="From here on.")] = None,
    end: Annotated[str | None, typer.Option(metavar="20s|INSTANT", help="Up to here.")] = None,
    loop: Annotated[int, typer.Option(min=1, help="So often, one lap behind the other.")] = 1,
    topic: Annotated[
        list[str] | None, typer.Option(help="Only this topic; may be given several times.")
    ] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="Only records with this key; likewise.")
    ] = None,
    executor: Annotated[
        Executors, typer.Option(help="simulated: the model's times without its answers.")
    ] = Executors.REAL,
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
    jitter: Annotated[
        float,
        typer.Option(min=0.0, max=10.0, help="How much longer batches take: by |x|, x normal."),
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Of all that is drawn.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="D.mcap", help="Write decisions and outcomes, for `streamproc diff`."),
    ] = None,
    produce: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Send the records to a Kafka instead, at their pace."
        ),
    ] = None,
    same: Annotated[
        bool,
        typer.Option("--yes-into-the-same-cluster", help="Also to the one that they came from."),
    ] = False,
    timestamps: Annotated[
        Timestamps, typer.Option(help="Of what is sent: as recorded, or moved to the present.")
    ] = Timestamps.ORIGINAL,
    json: options.Json = False,
    log_level: options.Level = options.LogLevel.WARNING,  # noqa: ARG001 - its callback does it
    traceback: options.Traceback = False,  # noqa: ARG001 - main looks for it
) -> int:
    """Say what the pipeline would have decided, how fast, and whether in time."""
    loaded = load_config(config, overrides=set_ or ())
    reader = CaptureReader(capture)
    paced = pace(speed)
    chosen = choose(reader, loaded.config, topics=topic or (), start=start, end=end)
    playback = Playback(
        speed=paced.speed,
        load=_load(load),
        max_gap_ns=max_gap,
        laps=loop,
        keys=frozenset(text.encode() for text in key or ()),
        seed=seed,
    )
    own = clock or (ClockName.VIRTUAL if produce is None else ClockName.WALL)
    simulated = executor is Executors.SIMULATED
    _check(own, chosen, playback, paced)
    _check_ways(own, produce, out=out, simulated=simulated)
    saved = latency_models(latency_model or (), loaded.config)
    say_recording(reader)
    with located(loaded):
        job = Job(
            pipeline=Pipeline.from_file(loaded),
            chosen=chosen,
            playback=playback,
            simulated=simulated,
            saved=saved,
            send_ns=send,
            jitter=jitter,
            out=out,
        )
        if produce is not None:
            sent = run_produce(
                job, paced, produce, into_the_same=same, shifted=timestamps is Timestamps.SHIFTED
            )
            show_produced(result_console(as_json=json), sent)
            if json:
                print_json(sent)
            return FAILED if sent["failed"] else DONE
        if own is ClockName.WALL:
            result = run_wall(job, paced)
        else:
            result = run_recorded(job) if own is ClockName.RECORDED else run_virtual(job)
    show(result_console(as_json=json), result)
    if json:
        print_json(result.as_json())
    return DONE if result.good else FAILED


def _load(load: float) -> float:
    if not 0.0 < load <= 1_000.0:  # noqa: PLR2004 - nobody means more
        msg = f"--load {load:g}: write a multiple of the recorded traffic, such as 3 or 0.5"
        raise typer.BadParameter(msg)
    return load


def _check_ways(
    clock: ClockName, produce: str | None, *, out: Path | None, simulated: bool
) -> None:
    """What cannot go together.

    Raises:
        BadParameter: with what is wrong.
    """
    if produce is not None and clock is not ClockName.WALL:
        msg = f"--produce sends at the wall clock's pace: it cannot go with --clock {clock}"
        raise typer.BadParameter(msg)
    if produce is not None and out is not None:
        raise typer.BadParameter("--out cannot go with --produce: whoever reads there decides")
    if simulated and clock is ClockName.WALL:
        msg = (
            "--executor simulated cannot go with the wall clock: use --clock virtual, or --set "
            "'model.executor={simulated: {fixed: 2ms, per_event: 100us}}'"
        )
        raise typer.BadParameter(msg)


def _check(clock: ClockName, chosen: Chosen, playback: Playback, paced: Pace) -> None:
    """What cannot go together.

    Raises:
        BadParameter: with what is wrong.
    """
    if paced.unbounded and clock is ClockName.VIRTUAL:
        line(
            notes_console(),
            "--speed max: the virtual clock never waits; events keep their recorded times",
        )
    if clock is not ClockName.RECORDED:
        return
    changed = {
        "--speed": paced != Pace(),
        "--load": playback.load != 1.0,
        "--max-gap": playback.max_gap_ns is not None,
        "--loop": playback.laps != 1,
        "--key": bool(playback.keys),
        "--topic": chosen.topics is not None,
        "--start": chosen.start_ns is not None,
        "--end": chosen.end_ns is not None,
    }
    for name, given in changed.items():
        if given:
            msg = f"{name} cannot go with --clock recorded, which does again exactly what was: use --clock virtual"
            raise typer.BadParameter(msg)

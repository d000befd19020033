"""A recording held against the objectives."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from streamproc.cli.replay_plan import Chosen, tables_of
from streamproc.cli.replay_run import Job, timing_of
from streamproc.cli.screen import line, table
from streamproc.config import LoadedConfig
from streamproc.replay.playback import (
    ObjectiveReplay,
    Playback,
    Replayed,
    answering,
    arrivals,
    replay_virtual,
    without_transactions,
)
from streamproc.runtime import Pipeline
from streamproc.slo import Alert, Counts, Objective


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of it.

    Attributes:
        objectives: that were held against the recording, and what they counted in all of it.
        left_out: those with labels, of which a recording knows nothing.
        alerts: that would have been told.
        replayed: the replay.
    """

    objectives: tuple[tuple[Objective, Counts], ...]
    left_out: tuple[str, ...]
    alerts: tuple[Alert, ...]
    replayed: Replayed

    @property
    def is_kept(self) -> bool:
        """Whether no objective was violated."""
        return all(is_kept(objective, counts) for objective, counts in self.objectives)

    def as_json(self) -> dict[str, Any]:
        """The one object."""
        return {
            "kept": self.is_kept,
            "duration_s": round(self.replayed.duration_s, 3),
            "objectives": [
                {
                    "name": objective.name,
                    "objective": objective.objective,
                    "events": counts.total,
                    "bad": counts.bad,
                    "good_percent": good_percent(counts),
                    "kept": is_kept(objective, counts),
                }
                for objective, counts in self.objectives
            ],
            "left_out": list(self.left_out),
            "alerts": [
                {"status": a.status, "labels": a.labels, "starts_at": a.starts_at}
                for a in self.alerts
            ],
        }


def is_kept(objective: Objective, counts: Counts) -> bool:
    """Whether the bad ones are within the budget; with no events nothing is violated."""
    return counts.bad <= counts.total * objective.budget


def good_percent(counts: Counts) -> float | None:
    """The share that was good; None of nothing."""
    return round(100 * (1 - counts.bad / counts.total), 6) if counts.total else None


def hold_against(
    loaded: LoadedConfig,
    chosen: Chosen,
    *,
    load: float,
    simulated: bool,
    saved: Mapping[str, Path],
) -> Tested:
    """Play it.

    Raises:
        ConfigError: the model does not load, or does not fit.
    """
    pipeline = without_transactions(Pipeline.from_file(loaded))
    job = Job(
        pipeline=pipeline,
        chosen=chosen,
        playback=Playback(load=load),
        simulated=simulated,
        saved=saved,
    )
    watch = ObjectiveReplay(pipeline)
    executors = answering(pipeline, outputs=not simulated)
    try:
        replayed = replay_virtual(
            pipeline,
            arrivals(chosen.records, job.playback),
            executors=executors,
            machine=timing_of(job, executors).machine,
            attach=watch.attach,
            tables=tables_of(chosen.capture, pipeline),
        )
    finally:
        for executor in executors:
            executor.close()
    watch.finish(replayed.last_ns)
    counts = watch.counts()
    return Tested(
        tuple((objective, counts[objective.name]) for objective in watch.objectives),
        tuple(o.name for o in pipeline.slo if o.labels is not None),
        tuple(watch.alerts),
        replayed,
    )


def show_test(console: Console, found: Tested) -> None:
    """For people."""
    rows = table("objective", "promised", "good", "events", "bad", "")
    for objective, counts in found.objectives:
        good = good_percent(counts)
        rows.add_row(
            objective.name,
            f"{objective.objective:g}%",
            "-" if good is None else f"{good:.5g}%",
            f"{counts.total:,}",
            f"{counts.bad:,}",
            "kept" if is_kept(objective, counts) else "violated",
        )
    console.print(rows)
    for name in found.left_out:
        line(console, f"{name}: not judged, labels are in no recording")
    for alert in found.alerts:
        if alert.status == "firing":
            line(
                console,
                f"{alert.starts_at} {alert.labels['severity']}: {alert.annotations['summary']}",
            )

"""Carries a replay out, without a broker."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from streamproc.cli.replay_plan import Chosen, say_machine, tables_of
from streamproc.cli.screen import line, notes_console
from streamproc.connectors.capture import CaptureWriter
from streamproc.core import (
    NS_PER_S,
    Executor,
    ExternalError,
    SystemClock,
    VirtualClock,
    process_cpu_ns,
)
from streamproc.replay.playback import (
    Attach,
    CaptureOutput,
    Comparison,
    Playback,
    Replayed,
    Reproduced,
    Timing,
    answering,
    arrivals,
    replay_recorded,
    replay_virtual,
    schedule_of,
    timing,
)
from streamproc.runtime import Assembly, Pipeline, lane_specs, metadata_of
from streamproc.telemetry import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be replayed, and how.

    Attributes:
        pipeline: what it goes through.
        chosen: which part of which recording.
        playback: at which pace and load.
        simulated: True where the model's answers do not matter.
        saved: latency models by variant.
        send_ns: how long a sending takes; None takes what was recorded.
        jitter: how much longer batches take.
        out: where decisions and outcomes are written; None for nowhere.
    """

    pipeline: Pipeline
    chosen: Chosen
    playback: Playback
    simulated: bool = False
    saved: Mapping[str, Path] = field(default_factory=dict)
    send_ns: int | None = None
    jitter: float = 0.0
    out: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of it.

    Attributes:
        summary: the books.
        facts: how it was played, by name.
        reproduced: how the outcomes compare with the recorded ones; None where they were not compared.
        out: what was written.
    """

    summary: Summary
    facts: Mapping[str, Any]
    reproduced: Reproduced | None = None
    out: Path | None = None

    @property
    def good(self) -> bool:
        """False where the recorded outcomes did not come again."""
        return self.reproduced is None or self.reproduced.exact

    def as_json(self) -> dict[str, Any]:
        """The one object."""
        facts = dict(self.facts)
        if self.reproduced is not None:
            facts["reproduced"] = self.reproduced.as_dict()
        found: dict[str, Any] = {**self.summary, "replay": facts}
        return found if self.out is None else {**found, "out": str(self.out)}


def run_virtual(job: Job) -> Result:
    """On the virtual clock.

    Raises:
        ConfigError: the model does not load, or does not fit.
        ExternalError: the output cannot be written.
    """
    executors = _executors(job)
    try:
        known = timing_of(job, executors)
        if known.measured:
            line(
                notes_console(),
                "batch times measured here: for the same again, keep them with `streamproc simulate CONFIG --measure "
                "F.json` and give --latency-model F.json",
            )
        watch = _Watch()
        with output(job, executors) as attach:
            replayed = replay_virtual(
                job.pipeline,
                arrivals(job.chosen.records, job.playback),
                executors=executors,
                machine=known.machine,
                seed=job.playback.seed,
                attach=attach,
                tables=tables_of(job.chosen.capture, job.pipeline),
            )
    finally:
        _close(executors)
    facts = {
        "clock": "virtual",
        **played(job.playback),
        "latency_model": dict(known.origins),
        "send": known.send_origin,
        **watch.facts(replayed),
        "held_ms": round(replayed.held_ns / 1e6, 3),
    }
    return Result(summary=watch.summary(replayed), facts=facts, out=job.out)


def run_recorded(job: Job) -> Result:
    """By the schedule log, compared with the recorded outcomes.

    Raises:
        ConfigError: there is no log, or the pipeline is not what it was.
        ExternalError: the output cannot be written.
    """
    capture = job.chosen.capture
    executors = _executors(job)
    comparison = Comparison(capture.outcomes())
    watch = _Watch()
    try:
        with output(job, executors) as write:

            def attach(assembly: Assembly, now_ns: Callable[[], int]) -> None:
                comparison.attach(assembly, now_ns)
                write(assembly, now_ns)

            replayed = replay_recorded(
                job.pipeline,
                capture.records(),
                schedule_of(capture),
                executors=executors,
                attach=attach,
                tables=tables_of(capture, job.pipeline, all_needed=True),
            )
    finally:
        _close(executors)
    facts = {"clock": "recorded", **watch.facts(replayed)}
    if replayed.stopped is not None:
        facts["stopped_before_reload"] = replayed.stopped
        line(
            notes_console(),
            f"the live run was reloaded ({replayed.stopped}): played up to there. What it decided with other settings "
            "is not in the schedule log; use --clock virtual for the rest",
        )
    return Result(
        summary=watch.summary(replayed),
        facts=facts,
        reproduced=comparison.finish(None if replayed.stopped is None else replayed.last_ns),
        out=job.out,
    )


class _Watch:
    """What the replay itself took here."""

    def __init__(self) -> None:
        self._clock = SystemClock()
        self._started_ns, self._cpu_ns = self._clock.now_ns(), process_cpu_ns()

    def facts(self, replayed: Replayed) -> dict[str, Any]:
        """How long, and how much quicker than what was replayed."""
        took_s = (self._clock.now_ns() - self._started_ns) / NS_PER_S
        return {
            "records": replayed.records,
            "took_s": round(took_s, 3),
            "times_real_time": round(replayed.duration_s / took_s, 2) if took_s > 0 else 0.0,
        }

    def summary(self, replayed: Replayed) -> Summary:
        """The books."""
        cpu_s = (process_cpu_ns() - self._cpu_ns) / NS_PER_S
        return replayed.accounts.summary(replayed.duration_s, cpu_s)


def played(playback: Playback) -> dict[str, Any]:
    """How it was played, for JSON."""
    return {
        "speed": playback.speed,
        "load": playback.load,
        "laps": playback.laps,
        "seed": playback.seed,
    }


def timing_of(job: Job, executors: Sequence[Executor]) -> Timing:
    """How long everything takes.

    Raises:
        ConfigError: a latency model cannot be read.
    """
    return timing(
        job.pipeline,
        executors,
        job.chosen.capture,
        saved=job.saved,
        send_ns=job.send_ns,
        jitter=job.jitter,
    )


def _executors(job: Job) -> tuple[Executor, ...]:
    """What answers, after a word about what it is not."""
    executors = answering(job.pipeline, outputs=not job.simulated)
    if not job.simulated:  # left out, they cannot differ
        models = [executor.info for executor in executors]
        say_machine(
            job.chosen.capture.metadata.machine, metadata_of(job.pipeline, models, (), "").machine
        )
    return executors


def _close(executors: Sequence[Executor]) -> None:
    for executor in executors:
        executor.close()


@contextlib.contextmanager
def output(job: Job, executors: Sequence[Executor]) -> Iterator[Attach]:
    """What writes ``--out``; complete when the block ends well.

    Raises:
        ExternalError: it cannot be written.
    """
    if job.out is None:
        yield lambda _assembly, _now_ns: None
        return
    capture = job.chosen.capture
    models = [executor.info for executor in executors]
    lanes = [lane.name for lane in lane_specs(job.pipeline)]
    metadata = replace(
        metadata_of(job.pipeline, models, lanes, "replay"),
        source=capture.metadata.source,
        recording=f"replay-{capture.metadata.recording}",
    )
    # A clock that stands still: chunks are cut by their size alone, and the same replay is the same file.
    clock = VirtualClock(capture.summary.first_ns or 0)
    try:
        with CaptureWriter(job.out, metadata, clock=clock, durable=False, overwrite=True) as writer:

            def attach(assembly: Assembly, now_ns: Callable[[], int]) -> None:
                assembly.settlement.tap = CaptureOutput(writer, now_ns)

            yield attach
    except OSError as error:
        msg = f"cannot write {job.out}: {error.strerror or error}"
        raise ExternalError(msg) from error

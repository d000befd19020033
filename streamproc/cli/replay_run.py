"""Carries a replay out, without a broker."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamproc.cli.replay_plan import Chosen
from streamproc.cli.screen import line, notes_console
from streamproc.connectors.capture import CaptureWriter
from streamproc.core import (
    NS_PER_S,
    Executor,
    ExternalError,
    ModelInfo,
    SystemClock,
    VirtualClock,
    process_cpu_ns,
)
from streamproc.replay.playback import (
    CaptureOutput,
    Comparison,
    Playback,
    Replayed,
    Reproduced,
    Sent,
    answering,
    arrivals,
    output_metadata,
    replay_recorded,
    replay_virtual,
    schedule_of,
    timing,
)
from streamproc.runtime import Assembly, Pipeline, lane_specs
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
        configuration: the text of the pipeline's file, for that.
    """

    pipeline: Pipeline
    chosen: Chosen
    playback: Playback
    simulated: bool = False
    saved: Mapping[str, Path] = field(default_factory=dict)
    send_ns: int | None = None
    jitter: float = 0.0
    out: Path | None = None
    configuration: str = ""


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
    executors = answering(job.pipeline, outputs=not job.simulated)
    try:
        known = timing(
            job.pipeline,
            executors,
            job.chosen.capture,
            saved=job.saved,
            send_ns=job.send_ns,
            jitter=job.jitter,
        )
        if known.measured:
            line(
                notes_console(),
                "batch times measured here: for the same again, keep them with `streamproc simulate CONFIG --measure "
                "F.json` and give --latency-model F.json",
            )
        watch = _Watch()
        with _output(job, executors) as attach:
            replayed = replay_virtual(
                job.pipeline,
                arrivals(job.chosen.records, job.playback),
                executors=executors,
                machine=known.machine,
                seed=job.playback.seed,
                attach=attach,
            )
    finally:
        _close(executors)
    facts = {
        "clock": "virtual",
        **_played(job.playback),
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
    executors = answering(job.pipeline, outputs=not job.simulated)
    comparison = Comparison(capture.outcomes())
    watch = _Watch()
    try:
        with _output(job, executors) as write:

            def attach(assembly: Assembly) -> Sent | None:
                comparison.attach(assembly)
                return write(assembly)

            replayed = replay_recorded(
                job.pipeline,
                capture.records(),
                schedule_of(capture),
                executors=executors,
                attach=attach,
            )
    finally:
        _close(executors)
    return Result(
        summary=watch.summary(replayed),
        facts={"clock": "recorded", **watch.facts(replayed)},
        reproduced=comparison.finish(),
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


def _played(playback: Playback) -> dict[str, Any]:
    return {
        "speed": playback.speed,
        "load": playback.load,
        "laps": playback.laps,
        "seed": playback.seed,
    }


def _close(executors: Sequence[Executor]) -> None:
    for executor in executors:
        executor.close()


class _Writing:
    """Attaches an output, where one is asked for."""

    def __init__(self, writer: CaptureWriter | None, models: tuple[ModelInfo, ...]) -> None:
        self._output = None if writer is None else CaptureOutput(writer)
        self._models = models

    def __call__(self, assembly: Assembly) -> Sent | None:
        if self._output is None:
            return None
        self._output.attach(assembly, self._models)
        return self._output.sent


@contextlib.contextmanager
def _output(job: Job, executors: Sequence[Executor]) -> Iterator[_Writing]:
    """What writes ``--out``; complete when the block ends well.

    Raises:
        ExternalError: it cannot be written.
    """
    models = tuple(executor.info for executor in executors)
    if job.out is None:
        yield _Writing(None, models)
        return
    metadata = output_metadata(
        job.chosen.capture,
        pipeline=job.pipeline.name,
        configuration=job.configuration,
        models=models,
        lanes=tuple(lane.name for lane in lane_specs(job.pipeline)),
    )
    try:
        # A clock that stands still: chunks are cut by their size alone, and the same replay is the same file.
        clock = VirtualClock(job.chosen.capture.summary.first_ns or 0)
        with CaptureWriter(job.out, metadata, clock=clock, durable=False, overwrite=True) as writer:
            yield _Writing(writer, models)
    except OSError as error:
        msg = f"cannot write {job.out}: {error.strerror or error}"
        raise ExternalError(msg) from error

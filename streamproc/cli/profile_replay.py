"""Profiles a pipeline while a recording goes through it, in this process."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from streamproc.cli.replay_plan import choose, say_recording, tables_of
from streamproc.config import LoadedConfig
from streamproc.connectors.capture import CaptureReader
from streamproc.core import NS_PER_S, Executor, SystemClock, process_cpu_ns
from streamproc.executors import ChainExecutor, OnnxExecutor, profiled_sessions
from streamproc.replay.playback import (
    Playback,
    answering,
    arrivals,
    replay_virtual,
    timing,
    without_transactions,
)
from streamproc.replay.profile import LaneTimes, PySpy, StageClock, operators
from streamproc.reports import OperatorTime, Profile, StageShare
from streamproc.runtime import Assembly, Pipeline

_NS_PER_US = 1_000


def profile_replay(loaded: LoadedConfig, path: Path, *, rate: int) -> Profile:
    """Let a recording through, as quickly as it goes, and say where the time went.

    The scheduler is told recorded, saved or measured batch times, as by ``streamproc replay``; the model really runs, so
    batches are as large as they were, and the time that counts is this machine's.

    Args:
        loaded: the pipeline.
        path: the recording.
        rate: samples of Python a second.

    Raises:
        ConfigError: the model does not load, or the recording holds nothing of the pipeline's.
    """
    capture = CaptureReader(path)
    say_recording(capture)
    pipeline = without_transactions(Pipeline.from_file(loaded))
    chosen = choose(capture, pipeline, topics=(), start=None, end=None)
    clock, stages = SystemClock(), StageClock()
    lanes: list[LaneTimes] = []

    def attach(assembly: Assembly, now_ns: Callable[[], int]) -> None:  # noqa: ARG001 - see Attach
        lanes.append(LaneTimes(assembly.accounts.lanes))
        assembly.settlement.tap = lanes[-1]

    with tempfile.TemporaryDirectory(prefix="streamproc-profile-") as folder:
        with profiled_sessions(Path(folder)):
            executors = answering(pipeline)
        try:
            known = timing(pipeline, executors, capture)
            with PySpy(os.getpid(), Path(folder), rate=rate) as spy:
                begun_ns, cpu_ns = clock.now_ns(), process_cpu_ns()
                replayed = replay_virtual(
                    pipeline,
                    arrivals(chosen.records, Playback()),
                    executors=[stages.watch("infer", executor) for executor in executors],
                    machine=known.machine,
                    attach=attach,
                    watch=stages.watch,
                    tables=tables_of(capture, pipeline),
                )
                wall_ns, cpu_ns = clock.now_ns() - begun_ns, process_cpu_ns() - cpu_ns
            times = stages.times(wall_ns)
            nodes = list(_operators(executors, begun_ns))
        finally:
            for executor in executors:
                executor.close()
    events = replayed.accounts.consumed
    notes = [spy.seen.lacking] if spy.seen.lacking else []
    return Profile(
        name=pipeline.name,
        what=f"{path.name} through it, as quickly as it went",
        events=events,
        wall_s=wall_ns / NS_PER_S,
        cpu_s=cpu_ns / NS_PER_S,
        stages=[
            StageShare(
                one.stage,
                one.took_ns / max(1, wall_ns),
                one.took_ns / max(1, events) / _NS_PER_US,
                f"{one.calls:,} calls" if one.calls else "",
            )
            for one in times
        ],
        lanes={
            name: (way.events, {str(stage): ms for stage, ms in way.mean_ms.items()})
            for times_of in lanes
            for name, way in times_of.ways().items()
        },
        operators=nodes,
        stacks=spy.seen.stacks,
        notes=notes,
    )


def _operators(executors: Sequence[Executor], since_ns: int) -> Iterator[OperatorTime]:
    """Of the variants that onnxruntime runs in this process."""
    whole = (one.parts if isinstance(one, ChainExecutor) else (one,) for one in executors)
    for executor in chain.from_iterable(whole):
        if not isinstance(executor, OnnxExecutor):
            continue
        path, started_ns = executor.end_profile()
        for one in operators(path, started_ns=started_ns, since_ns=since_ns):
            yield OperatorTime(
                executor.info.variant, one.node, one.kind, one.runs_on, one.calls, one.total_us
            )

"""Carries a replay out at the wall clock's pace: through the pipeline here, or to a real Kafka."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import uvloop

from streamproc.cli.replay_plan import Pace, tables_of
from streamproc.cli.replay_run import Job, Result, output, played, timing_of
from streamproc.cli.screen import line, notes_console
from streamproc.cli.signals import Signals
from streamproc.config import PipelineConfig
from streamproc.connectors.kafka import Access, KafkaSink, KafkaSource
from streamproc.core import NS_PER_MS, ConfigError, Int64Array, SystemClock
from streamproc.executors import load_runners
from streamproc.replay.playback import (
    LocalSink,
    PlayedSource,
    Produced,
    arrivals,
    produce,
    same_cluster,
)
from streamproc.runtime import Assembly, Pipeline, Service
from streamproc.telemetry import Metrics, Telemetry


def run_wall(job: Job, paced: Pace) -> Result:
    """Through the service itself, at its pace, without a broker.

    Raises:
        ConfigError: the model does not load, or does not fit.
        ExternalError: the output cannot be written.
    """
    # A replay tells nobody: no endpoint, no traces, no recording of a recording; and a canary is judged anew.
    rollout = job.pipeline.rollout
    quiet = replace(
        job.pipeline,
        record=None,
        serve=None,
        telemetry=Telemetry(metrics=Metrics(listen=None)),
        rollout=None if rollout is None else rollout.quiet,
    )
    clock = SystemClock()
    executors = load_runners(quiet.model, quiet.rollout, clock)
    known = timing_of(job, executors)
    source = PlayedSource(
        arrivals(job.chosen.records, job.playback), clock=clock, unbounded=paced.unbounded
    )
    history = tables_of(job.chosen.capture, quiet)
    sink = LocalSink(clock, send_ns=known.machine.send_ns, seed=job.playback.seed)
    parts = Pipeline.from_config(quiet).parts(
        source=source, sink=sink, executor=executors, clock=clock
    )
    with output(job, executors) as attach:
        service = Service(quiet, parts)

        def begin(assembly: Assembly) -> None:
            attach(assembly, clock.now_ns)
            if history is not None:
                source.tables = history.fill(quiet, assembly)

        service.on_assembled = begin
        summary = uvloop.run(_serve(service))
    facts = {
        "clock": "wall",
        **played(job.playback),
        "speed": "max" if paced.unbounded else job.playback.speed,
        "send": known.send_origin,
        "records": summary["consumed"] + summary["handed_back"],
        "took_s": summary["duration_s"],
        "schedule_lag_ms": lag_ms(source.lag_ns),
    }
    return Result(summary=summary, facts=facts, out=job.out)


async def _serve(service: Service) -> Any:  # noqa: ANN401 - a Summary
    Signals(service.stop, None).install()
    return await service.run()


def run_produce(
    job: Job, paced: Pace, servers: str, *, into_the_same: bool, shifted: bool
) -> dict[str, Any]:
    """To a real Kafka, at its pace.

    Returns:
        what ``--json`` prints.

    Raises:
        ConfigError: it is the cluster that the recording came from, or a topic is not there.
        ExternalError: the broker failed.
    """
    config = job.pipeline
    access = Access("--produce", servers, _security(config))
    found = asyncio.run(_produce(job, paced, access, into_the_same=into_the_same, shifted=shifted))
    return {
        "pipeline": config.name,
        "produced": found.sent,
        "failed": found.failed,
        "duration_s": round(found.duration_s, 3),
        "rate_per_s": round(found.sent / found.duration_s, 1) if found.duration_s else 0.0,
        "replay": {**played(job.playback), "schedule_lag_ms": lag_ms(found.lag_ns)},
    }


async def _produce(
    job: Job,
    paced: Pace,
    access: Access,
    *,
    into_the_same: bool,
    shifted: bool,
) -> Produced:
    capture = job.chosen.capture
    if not into_the_same:
        await _refuse_the_same(job, access)
    return await produce(
        arrivals(job.chosen.records, job.playback),
        access,
        clock=SystemClock(),
        topics=job.chosen.topics or capture.summary.topics,
        unbounded=paced.unbounded,
        shifted=shifted,
    )


async def _refuse_the_same(job: Job, access: Access) -> None:
    origin = job.chosen.capture.metadata.source
    servers = access.servers
    if not origin:
        line(notes_console(), "the recording does not say from which cluster it came: not compared")
        return
    same: bool | None = origin == servers
    if not same:
        same = await same_cluster(
            access, Access("the recording's cluster", origin, _security(job.pipeline))
        )
    if same:
        msg = (
            f"--produce {servers} is the cluster that the recording came from ({origin}): its records would be there "
            "twice; if that is meant, add --yes-into-the-same-cluster"
        )
        raise ConfigError(msg)
    if same is None:
        line(
            notes_console(),
            f"the recording's cluster ({origin}) does not answer: taken for another",
        )


def _security(config: PipelineConfig) -> Mapping[str, str]:
    """How a cluster is spoken to: as the pipeline speaks to its source, or where that is none, to its sink."""
    ends = (config.source, config.sink)
    return next((end.security for end in ends if isinstance(end, KafkaSource | KafkaSink)), {})


def lag_ms(lag_ns: Int64Array) -> dict[str, float]:
    """How late it was, in ms; empty where nothing was played."""
    if not lag_ns.size:
        return {}
    middle, high, top = np.percentile(lag_ns / NS_PER_MS, [50, 99, 100]).tolist()
    return {"p50": round(middle, 3), "p99": round(high, 3), "max": round(top, 3)}

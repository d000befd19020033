"""What no single key shows of objectives."""

from collections.abc import Iterator, Sequence
from typing import Any

from streamproc.codecs import Decisions, JsonDecisions
from streamproc.config.ends import Sink, Source
from streamproc.config.tree import Finding, Path
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.engine import Output, PythonFunction
from streamproc.executors import Model
from streamproc.scheduling import Lane
from streamproc.slo import Alerts, Objective, endings
from streamproc.telemetry import names


def _objectives(slo: Sequence[Objective]) -> Iterator[Finding]:
    taken = [objective.name for objective in slo]
    for place, name in enumerate(taken):
        if not name:
            yield ("slo", place, "name"), "must have letters: it is a label of metrics and alerts"
        elif name in taken[:place]:
            yield (
                ("slo", place, "name"),
                f"{name!r} is named before; each objective has a name of its own",
            )


def _lanes(slo: Sequence[Objective], lanes: Sequence[Lane]) -> Iterator[Finding]:
    there = [*(lane.name for lane in lanes), names.LANE_DEFAULT]
    for place, objective in enumerate(slo):
        if objective.lane is not None and objective.lane not in there:
            yield (
                ("slo", place, "lane"),
                f"{objective.lane!r} is no lane; there are {', '.join(there)}",
            )


def _on_burn(slo: Sequence[Objective], model: Model) -> Iterator[Finding]:
    """What an objective does about its burning must not burn it the more."""
    ladder = [variant.name for variant in model.ladder]
    for place, objective in enumerate(slo):
        if objective.on_burn is None:
            continue
        path: Path = ("slo", place, "on_burn")
        variant, bad = objective.on_burn.variant, endings(objective.bad)
        good = endings(objective.good)
        if variant is not None:
            if variant not in ladder:
                yield (
                    (*path, "variant"),
                    f"{variant!r} is no variant of the model; there are {', '.join(ladder)}",
                )
            elif variant == ladder[0]:
                yield (*path, "variant"), f"{variant!r} is the best variant: name a cheaper one"
            if "degraded" in bad or (good and "degraded" not in good):
                yield (
                    (*path, "variant"),
                    "a cheaper variant's decisions are degraded, which are bad here: write good: [on_time, degraded]",
                )
            if objective.labels is not None:
                yield (
                    (*path, "variant"),
                    "a cheaper variant makes no decision more right: remove it",
                )
        if objective.on_burn.max_queue is not None and "shed" in bad:
            yield (*path, "max_queue"), "it sheds, and shed events are bad here: remove it"


def _labels(
    slo: Sequence[Objective], source: Source, sink: Sink, output: Output | PythonFunction
) -> Iterator[Finding]:
    for place, objective in enumerate(slo):
        if objective.labels is None:
            continue
        path: Path = ("slo", place, "labels")
        if not (isinstance(source, KafkaSource) and isinstance(sink, KafkaSink)):
            yield path, "are read beside the decisions, in Kafka: use source.kafka and sink.kafka"
        elif objective.labels.topic in source.topics:
            yield (
                (*path, "topic"),
                f"{objective.labels.topic!r} is a source topic: labels are no events",
            )
        plain = isinstance(output, Output) and not output.labels
        if plain and objective.labels.decided == "label":
            yield (
                (*path, "decided"),
                "the decisions have no label: name the field of their output that is held against it, or output.labels",
            )


def _readable_decisions(slo: Sequence[Objective], decisions: Decisions) -> Iterator[Finding]:
    for place, objective in enumerate(slo):
        if objective.labels is not None and not isinstance(decisions, JsonDecisions):
            yield (
                ("slo", place, "labels"),
                "are joined with decisions of JSON: write decisions: json",
            )


def _alert_topic(alerts: Alerts, source: Source, sink: Sink) -> Iterator[Finding]:
    if alerts.topic is None:
        return
    if not (isinstance(source, KafkaSource) and isinstance(sink, KafkaSink)):
        yield ("alerts", "topic"), "is in Kafka: use source.kafka and sink.kafka, or a webhook"
    elif alerts.topic in (*source.topics, sink.topic):
        yield (
            ("alerts", "topic"),
            f"{alerts.topic!r} is the pipeline's own: alerts are no events and no decisions",
        )


SLO_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_objectives, ("slo",)),
    (_lanes, ("slo", "lanes")),
    (_on_burn, ("slo", "model")),
    (_labels, ("slo", "source", "sink", "output")),
    (_readable_decisions, ("slo", "decisions")),
    (_alert_topic, ("alerts", "source", "sink")),
)
"""As those of ``checks``: each check and the parts that it takes."""

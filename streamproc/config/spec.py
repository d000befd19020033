"""The pipeline's configuration as objects: what the file is loaded into, and what a Python user writes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from streamproc.codecs import Codec, Decisions, JsonDecisions
from streamproc.connectors.capture import Record
from streamproc.connectors.files import CaptureSource, FileSink, FileSource
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.engine import Deadline, EventTime, Limits, Outcomes, Output, PythonFunction, Reorder
from streamproc.executors import Model, Rollout
from streamproc.features import Duplicates, Feature, FeatureState
from streamproc.scheduling import (
    Batching,
    Expired,
    Lane,
    Ordering,
    Planner,
    ShedName,
    ShedPolicy,
)
from streamproc.slo import Alerts, Objective
from streamproc.telemetry import Telemetry
from streamproc.web import Serve


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineConfig:
    """Everything a pipeline is made of; ``docs/configuration.md`` describes each key.

    Attributes:
        name: the pipeline's name, in decisions, metrics and as the default group.
        source: where the events come from.
        codec: how a record's bytes become columns.
        model: the model and what runs it.
        rollout: models that are tried beside it; null tries none.
        sink: where the decisions go.
        decisions: how they are written: each its own record of ``json``, or many as rows of an ``arrow`` record.
        key: a decoded field that is the event's key; None takes the record's key.
        event_time: where an event says when it happened.
        deadline: when its decision must be with the broker.
        lanes: events that are served before others or after them, each in the first lane that matches; none
            of them makes one queue.
        late: what happens to a decision after its deadline: it is published, flagged ``late``, or dropped.
        reorder: events are taken in the order in which they happened, those of several topics together; null takes
            them as they come, each topic for itself.
        features: the model's inputs: decoded fields, and what operators make of them and of what a key did before
            (one whose name begins with ``_`` is for the operators behind it only); or a function that makes them.
        state: bounds of what is remembered of keys.
        filter: a condition over the decoded fields; events for which it does not hold are ``filtered``.
        duplicates: how events that come twice are recognised; null takes all as they come.
        absorb: a condition over the decoded fields and what operators make; events for which it holds are remembered
            and not decided about: ``absorbed``.
        output: how the model's output becomes the decision's.
        batching: how events are gathered.
        shed: which events are given up, by which policies, each a name or a mapping such as
            ``tail_drop: {max_queue: 1000}``; an empty list keeps them all.
        limits: how large a record's key and headers may be.
        outcomes: where the events go that are not decided.
        delivery: what a failure may cost: ``at_least_once`` that some decisions come twice, all alike;
            ``exactly_once``, by transactions, nothing for those who read ``read_committed``.
        ordering: whose decisions leave in the order of their events.
        telemetry: what the pipeline tells of itself.
        slo: what is promised of the events; in the file an item may be the path of an OpenSLO file instead.
        alerts: who is told when a promise is at risk.
        record: a recording of what goes in and out; null makes none.
        serve: a front door: the model answers requests of the Open Inference Protocol besides; null keeps it closed.
    """

    name: str
    source: KafkaSource | CaptureSource | FileSource
    codec: Codec
    model: Model
    sink: KafkaSink | FileSink
    rollout: Rollout | None = None
    decisions: Decisions = field(default_factory=JsonDecisions)
    key: str | None = None
    event_time: EventTime = field(default_factory=EventTime)
    deadline: Deadline = field(default_factory=Deadline)
    lanes: Sequence[Lane] = ()
    late: Literal["publish", "drop"] = "publish"
    reorder: Reorder | None = None
    features: Sequence[str | Feature] | PythonFunction = ()
    state: FeatureState = field(default_factory=FeatureState)
    filter: str | None = None
    duplicates: Duplicates | None = None
    absorb: str | None = None
    output: Output | PythonFunction = field(default_factory=Output)
    batching: Batching = field(default_factory=Batching)
    shed: Sequence[ShedPolicy | ShedName] = (Expired(), Planner())
    limits: Limits = field(default_factory=Limits)
    outcomes: Outcomes = field(default_factory=Outcomes)
    delivery: Literal["at_least_once", "exactly_once"] = "at_least_once"
    ordering: Ordering = "key"
    telemetry: Telemetry = field(default_factory=Telemetry)
    slo: Sequence[Objective] = ()
    alerts: Alerts = field(default_factory=Alerts)
    record: Record | None = None
    serve: Serve | None = None

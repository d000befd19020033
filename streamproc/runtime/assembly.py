"""From a configuration to an engine: every part made and joined, in one place."""

from collections.abc import Callable
from dataclasses import dataclass

from streamproc.codecs import Decoder
from streamproc.config import PipelineConfig
from streamproc.core import NS_PER_MS, Clock, Executor, ModelInfo, load_function
from streamproc.engine import (
    Concluder,
    Decider,
    Destinations,
    Engine,
    EventTimes,
    Intake,
    LabelDecider,
    PartitionTable,
    PlainDecider,
    PythonDecider,
    PythonFunction,
    Settlement,
    check_labels,
)
from streamproc.executors import sweep
from streamproc.features import Features, FieldFeatures, PythonFeatures
from streamproc.runtime.codecs import make_decoder, make_encoder
from streamproc.scheduling import LatencyModel, Scheduler, SendLatency
from streamproc.telemetry import Accounts, Journey, Sampler, Tracer

SEND_SHARE = 2
"""Sending is never allowed more than this part (a half) of the budget: one stall of the broker must not
make every event look hopeless."""
UNTRIED_SEND_NS = 25 * NS_PER_MS
"""Allowed for sending until some hundred sends were seen, within that share: a broker's pause, or its slow
first answers. Where it makes every event look hopeless the scheduler forgets it at the first probe."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """A pipeline's parts, joined.

    Attributes:
        engine: the way of the data.
        accounts: the books.
        settlement: tells its ``witness`` what becomes of each event.
        compute: how long the model alone computes, to choose between the event loop and a thread.
        tracer: tells the journeys of events; None where no traces are made.
    """

    engine: Engine
    accounts: Accounts
    settlement: Settlement
    compute: LatencyModel
    tracer: Tracer | None


def assemble(
    config: PipelineConfig,
    executor: Executor,
    clock: Clock,
    export: Callable[[Journey], None] | None = None,
) -> Assembly:
    """Make a pipeline's engine; measures the model on the way.

    Args:
        config: what the user wrote.
        executor: what runs the model.
        clock: the pipeline's time.
        export: takes the journeys of traced events; None makes no traces.

    Raises:
        ConfigError: the model's inputs or outputs do not fit the features or labels.
    """
    decoder = make_decoder(config, executor.info)
    features = make_features(config, executor.info, decoder)
    decider = make_decider(config, executor.info)
    size_max = min(config.batching.max_size, executor.info.batch_max or config.batching.max_size)
    sizes, run_ns = sweep(executor, size_max=size_max, clock=clock)
    latency = LatencyModel(sizes, run_ns, size_max=size_max)
    budget_ns = int(config.deadline.budget)
    accounts = Accounts(pipeline=config.name, exact_bounds_ns=[budget_ns])
    scheduler = Scheduler(
        batching=config.batching,
        shed=config.shed,
        ordering=config.ordering,
        latency=latency,
        send=SendLatency(ceiling_ns=budget_ns // SEND_SHARE, first_ns=UNTRIED_SEND_NS),
        slots=executor.concurrency,
    )
    partitions = PartitionTable()
    tracer = None
    traces = config.telemetry.traces
    if traces is not None and export is not None:
        tracer = Tracer(Sampler(config.name, traces.ratio), traces.always, export)
    settlement = Settlement(accounts, partitions, scheduler, tracer)
    engine = Engine(
        clock=clock,
        intake=Intake(
            decoder=decoder,
            features=features,
            key=config.key,
            times=EventTimes(config.event_time, config.deadline),
        ),
        scheduler=scheduler,
        concluder=Concluder(
            clock=clock,
            decider=decider,
            encoder=make_encoder(config, executor.info),
            destinations=_destinations(config),
            partitions=partitions,
            scheduler=scheduler,
            settlement=settlement,
            tracer=tracer,
        ),
        settlement=settlement,
        partitions=partitions,
        accounts=accounts,
        keep_order=config.ordering != "none",
    )
    compute = LatencyModel(sizes, run_ns, size_max=size_max)
    return Assembly(engine, accounts, settlement, compute, tracer)


def make_features(config: PipelineConfig, model: ModelInfo, decoder: Decoder) -> Features:
    """The features that the configuration names.

    Raises:
        ConfigError: they do not fit the model, or the user's function cannot be found.
    """
    if isinstance(config.features, PythonFunction):
        return PythonFeatures(
            load_function(config.features.python, key="features.python"),
            options=config.features.options or {},
            inputs=model.inputs,
        )
    return FieldFeatures(
        config.features,
        shapes={name: kind.shape for name, kind in decoder.fields.items()},
        inputs=model.inputs,
        names=config.model.inputs,
    )


def make_decider(config: PipelineConfig, model: ModelInfo) -> Decider:
    """What makes decisions of the model's outputs.

    Raises:
        ConfigError: the labels do not fit the model, or the user's function cannot be found.
    """
    output = config.output
    if isinstance(output, PythonFunction):
        function = load_function(output.python, key="output.python")
        return PythonDecider(function, options=output.options or {})
    check_labels(output.labels, output.tensor, model.outputs)
    if output.labels:
        return LabelDecider(output.labels, scores=output.scores, tensor=output.tensor)
    return PlainDecider(tensor=output.tensor)


def dead_letter_topic(config: PipelineConfig) -> str | None:
    """Where dead letters go; None where they are dropped."""
    topic = config.outcomes.dead_letter_topic
    return f"{config.name}.dlq" if topic == "" else topic


def _destinations(config: PipelineConfig) -> Destinations:
    return Destinations(
        decisions=config.sink.topic,
        dead_letters=dead_letter_topic(config),
        shed=config.outcomes.shed_topic,
        late=config.late == "publish",
        rekeyed=config.key is not None,
        bytes_max=int(config.sink.max_record),
    )

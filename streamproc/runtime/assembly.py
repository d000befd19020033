"""From a configuration to an engine: every part made and joined, in one place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeAlias, TypeVar

from streamproc.codecs import Decoder, Decoders, TopicDecoders
from streamproc.config import PipelineConfig, redact, secrets_of
from streamproc.connectors.kafka import KafkaSink
from streamproc.core import Clock, ConfigError, Executor, ModelInfo, Problem, load_function
from streamproc.engine import (
    Beginning,
    Changelog,
    Concluder,
    Decider,
    Destinations,
    Engine,
    EngineParts,
    Escalation,
    EventTimes,
    FeatureTap,
    Intake,
    LabelDecider,
    Ledger,
    LoggedClock,
    LoggedEngine,
    OpenTransaction,
    PartitionTable,
    PlainDecider,
    PythonDecider,
    PythonFunction,
    Requests,
    Rollout,
    ScheduleLog,
    Screen,
    Settlement,
    Stopping,
    check_labels,
)
from streamproc.executors import sweep
from streamproc.features import Program
from streamproc.runtime.cascade import all_slots, first_slots, make_escalation
from streamproc.runtime.codecs import make_decoder, make_encoder
from streamproc.runtime.features import (
    make_changelog,
    make_features,
    make_order,
    make_program,
    make_step,
    remembers,
    rewind_ns,
)
from streamproc.runtime.rollout import rollout_plan
from streamproc.runtime.scheduling import (
    has_policy,
    lane_budgets_ns,
    lane_specs,
    make_accounts,
    make_lanes,
    make_offering,
    make_scheduler,
)
from streamproc.runtime.schemas import learning
from streamproc.runtime.stateful import make_stateful, rewind_for_model_ns
from streamproc.scheduling import Conflate, LatencyModel, Scheduler
from streamproc.telemetry import Accounts, Sampler, Told, Tracer

Sweep: TypeAlias = tuple[Sequence[int], Sequence[int]]
"""Batch sizes measured, ascending, and their times in ns."""

_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class Assembly:
    """A pipeline's parts, joined.

    Attributes:
        engine: the way of the data.
        accounts: the books.
        settlement: tells its ``witness`` what becomes of each event.
        latency: what the scheduler knows of each variant's time.
        compute: how long each variant of the model alone computes, to choose between the event loop and a thread.
        tracer: tells the journeys of events; None where no traces are made.
        sweeps: what each variant of the model was measured to take.
        transaction: says what is to be committed; None where outcomes are final one by one.
        ledger: what became of each record; None where nobody asks.
        secrets: the texts that dead letters do not show; a reload adds to them.
        program: the operators of the features; None where there are none.
        rewind_ns: how much older than the place where reading begins the records are that features still need.
        decoder: turns values into columns.
        feature_taps: are shown the features that are made; to be added to.
        slots: how many batches may run at the same time.
        changelog: what writes down what is remembered, once the engine is given it; None where nothing does.
    """

    engine: Engine
    accounts: Accounts
    settlement: Settlement
    latency: tuple[LatencyModel, ...]
    compute: tuple[LatencyModel, ...]
    tracer: Tracer | None
    sweeps: tuple[Sweep, ...]
    transaction: OpenTransaction | None = None
    ledger: Ledger | None = None
    secrets: set[str] = field(default_factory=set, repr=False)
    program: Program | None = None
    rewind_ns: int = 0
    decoder: Decoders | None = None
    feature_taps: list[FeatureTap] = field(default_factory=list)
    slots: int = 1
    changelog: Changelog | None = None


class Watch(Protocol):
    """Looks at a pipeline's parts."""

    def __call__(self, stage: str, part: _Part, /) -> _Part:
        """What is called in the part's stead."""


def unwatched(stage: str, part: _Part) -> _Part:  # noqa: ARG001 - see Watch
    """The part itself."""
    return part


def assemble(  # noqa: PLR0913 - each is one thing that a replay or a profile has otherwise; one part a line
    config: PipelineConfig,
    executors: Sequence[Executor],
    clock: Clock,
    export: Callable[[Told], None] | None = None,
    *,
    sweeps: Sequence[Sweep] | None = None,
    log: ScheduleLog | None = None,
    watch: Watch = unwatched,
    stamped: bool = True,
    waits_for_schemas: bool = False,
) -> Assembly:
    """Make a pipeline's engine; measures the model's variants on the way, unless that was done.

    Args:
        config: what the user wrote.
        executors: what runs the model's variants, the best one's first, and behind them the models of a rollout; see
            ``executors.runners``.
        clock: the pipeline's time.
        export: takes the journeys of traced events; None makes no traces.
        sweeps: what each variant takes, where it is known; None measures.
        log: takes all that the engine is told, to do it again; None keeps nothing.
        watch: is shown each part that takes time, and gives what stands in its place.
        stamped: whether the instant of decoding is read from the clock; False where that gives recorded readings,
            among which this one is not.
        waits_for_schemas: True where records are given to the engine only once their schemas are known; False lets
            the decoder ask for them itself.

    Raises:
        ConfigError: the model's inputs or outputs do not fit the features or labels.
    """
    models = [executor.info for executor in executors]
    decoder = make_decoder(config, models[0])
    program = make_program(config, decoder)
    decoder = _watched(decoder if waits_for_schemas else learning(decoder), watch)
    features = watch("features", make_features(config, models[0], decoder, program))
    decider = watch("decide", make_decider(config, models))
    lanes = make_lanes(config, decoder)
    room = min(m.batch_max or config.batching.max_size for m in models)
    room = min(room, config.batching.max_size)
    swept: tuple[Sweep, ...] = (
        tuple(sweep(executor, size_max=room, clock=clock) for executor in executors)
        if sweeps is None
        else tuple(sweeps)
    )
    slots = first_slots(config, executors)
    unlogged = clock
    if log is not None:
        log.begin(Beginning(tuple((tuple(size), tuple(ns)) for size, ns in swept), slots))
        clock = LoggedClock(clock, log)
    latency = [LatencyModel(*measured, size_max=room) for measured in swept]
    accounts = make_accounts(config)
    ladder = len(config.model.ladder)
    stateful = make_stateful(config, models[0])
    scheduler = watch(
        "schedule",
        make_scheduler(config, latency[:ladder], slots=slots, stateful=stateful),
    )
    transactional = config.delivery == "exactly_once"
    if transactional and decoder.several:
        msg = "exactly_once needs records of one event each, and this codec's may hold several: write at_least_once"
        raise ConfigError(Problem(msg, "delivery"))
    partitions = PartitionTable(transactional=transactional)
    rollout = Rollout(
        scheduler=scheduler, partitions=partitions, decider=decider, books=accounts.rollout
    )
    tracer = None
    traces = config.telemetry.traces
    if traces is not None and export is not None:
        tracer = Tracer(Sampler(config.name, traces.ratio), traces.always, export, accounts)
    asked = config.outcomes.ledger_topic
    ledger = None if asked is None else Ledger(asked, config.name, partitions)
    settlement = Settlement(
        accounts, partitions, scheduler, tracer, transactional=transactional, ledger=ledger
    )
    secrets = set(secrets_of(config))
    times = EventTimes(config.event_time, config.deadline, lane_budgets_ns(config))
    intake = Intake(
        decoder=decoder,
        features=features,
        key=config.key,
        times=times,
        lanes=lanes,
        limits=config.limits,
        now_ns=unlogged.now_ns if stamped else None,
        step=(step := make_step(config, decoder, program)),
        order=make_order(config, program),
    )
    concluder = Concluder(
        clock=clock,
        decider=decider,
        encoders=[watch("encode", make_encoder(config, model)) for model in models],
        destinations=_destinations(config, secrets),
        partitions=partitions,
        scheduler=scheduler,
        settlement=settlement,
        tracer=tracer,
    )
    offering = make_offering(config, decoder, keys=scheduler.wants_keys)
    escalation = make_escalation(
        config,
        models,
        scheduler=scheduler,
        concluder=concluder,
        offering=offering,
        accounts=accounts,
    )
    parts = EngineParts(
        clock=clock,
        intake=intake,
        screen=Screen(
            times=times,
            scheduler=scheduler,
            decodes_all=decoder.several
            or config.reorder is not None
            or (remembers(config, program) and config.state.on_gap is None)
            or (config.model.state is not None and config.model.state.on_gap == "reset"),
            conflates=config.key is None and has_policy(config, Conflate),
        ),
        offering=offering,
        scheduler=scheduler,
        concluder=concluder,
        settlement=settlement,
        partitions=partitions,
        accounts=accounts,
        requests=make_requests(config, escalation),
        stopping=make_stopping(config, scheduler),
        escalation=escalation,
        rollout=rollout,
        stateful=stateful,
    )
    keep_order = config.ordering != "none" and stateful is None  # else it follows from the turns
    engine = (
        Engine(parts, batch_room=room, keep_order=keep_order)
        if log is None
        else LoggedEngine(parts, batch_room=room, keep_order=keep_order, log=log)
    )
    rollout.change(rollout_plan(config, models, latency), 0)
    reach_ns = rewind_for_model_ns(config, rewind_ns(config, program))
    changelog = make_changelog(config, step, partitions)
    engine.restore.wanted = reach_ns > 0 or changelog is not None
    compute = tuple(LatencyModel(*measured, size_max=room) for measured in swept)
    transaction = OpenTransaction(partitions, settlement, ledger) if transactional else None
    return Assembly(
        engine,
        accounts,
        settlement,
        tuple(latency),
        compute,
        tracer,
        swept,
        transaction,
        ledger,
        secrets,
        program,
        reach_ns,
        decoder,
        intake.taps,
        all_slots(config, executors),
        changelog,
    )


def make_stopping(config: PipelineConfig, scheduler: Scheduler) -> Stopping | None:
    """What says when a batch is to be stopped; None where none ever is."""
    stops, variants = config.model.stop_late, len(config.model.ladder)
    late = config.late == "publish" and stops is None
    if stops is False or config.model.state is not None or (late and variants == 1):
        return None
    return Stopping(scheduler, variants=variants, late=late)


def make_requests(config: PipelineConfig, escalation: Escalation | None) -> Requests | None:
    """The requests of the front door; None where it is closed."""
    if config.serve is None:
        return None
    degrades = None if escalation is None else escalation.degrades
    return Requests(lane=len(lane_specs(config)), degrades=degrades)


def _watched(decoder: Decoders, watch: Watch) -> Decoders:
    if not isinstance(decoder, TopicDecoders):
        return watch("decode", decoder)

    def timed(one: Decoder) -> Decoder:
        return watch("decode", one)

    decoder.watched(timed)
    return decoder


def make_decider(config: PipelineConfig, models: Sequence[ModelInfo]) -> Decider:
    """What makes decisions of the outputs of any of the model's variants.

    Raises:
        ConfigError: the labels do not fit a variant, or the user's function cannot be found.
    """
    output = config.output
    if isinstance(output, PythonFunction):
        function = load_function(output.python, key="output.python")
        return PythonDecider(function, options=output.options or {})
    for model in models:
        check_labels(output.labels, output.tensor, model.outputs)
    if output.labels:
        return LabelDecider(output.labels, scores=output.scores, tensor=output.tensor)
    return PlainDecider(tensor=output.tensor)


def dead_letter_topic(config: PipelineConfig) -> str | None:
    """Where dead letters go; None where they are dropped."""
    topic = config.outcomes.dead_letter_topic
    return f"{config.name}.dlq" if topic == "" else topic


def _destinations(config: PipelineConfig, secrets: set[str]) -> Destinations:
    sink = config.sink
    options = sink if isinstance(sink, KafkaSink) else KafkaSink(sink.topic)
    return Destinations(
        decisions=options.topic,
        dead_letters=dead_letter_topic(config),
        shed=config.outcomes.shed_topic,
        late=config.late == "publish",
        rekeyed=config.key is not None,
        bytes_max=int(options.max_record),
        headers=frozenset(options.headers),
        redact=partial(redact, secrets=secrets),
    )

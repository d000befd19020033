"""What ``streamproc check`` looks at, without traffic: model, features, decisions, topics."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from streamproc.cli.feature_words import feature_words
from streamproc.cli.rollout_words import warnings as rollout_warnings
from streamproc.codecs import ArrowCodec, FieldType, JsonCodec, TensorCodec, types_of
from streamproc.config import LoadedConfig, PipelineConfig
from streamproc.connectors.kafka import Access, KafkaSink, KafkaSource, TopicShape, topic_shapes
from streamproc.core import (
    NS_PER_MS,
    Array,
    Clock,
    ConfigError,
    Duration,
    Executor,
    ExternalError,
    ModelInfo,
    Problem,
    Reason,
    StateSpec,
    TensorSpec,
    load_function,
    object_column,
)
from streamproc.engine import PythonFunction
from streamproc.executors import load_runners, sweep
from streamproc.runtime import (
    ask_for_decision_schema,
    dead_letter_topic,
    make_decider,
    make_decoder,
    make_doubt,
    make_features,
    make_program,
)
from streamproc.scheduling import LatencyModel, SendLatency
from streamproc.testing.pipeline_test import PipelineTest

SHOWN_SIZES = (1, 8, 64)
BUDGET_PART = 2
"""A single event that takes more than this part (a half) of the budget leaves none for the queue and Kafka's
own hiccups."""
_MS_DECIMALS = 3


@dataclass(slots=True)
class Found:
    """What was found.

    Attributes:
        problems: what would keep the pipeline from running.
        warnings: what will let it run, and badly.
        models: what the model's variants are, the best one first.
        features: where its inputs come from.
        decisions: how a decision is made.
        batch_ms: by variant, how long a batch of so many events takes here.
        topics: partitions of each topic; None where it will be made.
        broker: the broker that was asked; None where none was.
    """

    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    models: list[ModelInfo] = field(default_factory=list)
    features: str = ""
    decisions: str = ""
    batch_ms: dict[str, dict[int, float]] = field(default_factory=dict)
    topics: dict[str, int | None] = field(default_factory=dict)
    broker: str | None = None

    @property
    def model(self) -> ModelInfo | None:
        """The best variant; None where it did not load."""
        return self.models[0] if self.models else None

    def attempt(self, step: Callable[[], object]) -> None:
        """Do a step; what is wrong is kept, and the next one goes on."""
        try:
            step()
        except ConfigError as error:
            self.problems += error.problems


def inspect_parts(loaded: LoadedConfig, clock: Clock) -> Found:
    """Load the model, join the parts, and measure; all problems at once."""
    config, found = loaded.config, Found()
    executors: list[Executor] = []
    found.attempt(lambda: executors.extend(load_runners(config.model, config.rollout, clock)))
    for key, part in (("features", config.features), ("output", config.output)):
        if isinstance(part, PythonFunction) and not executors:  # else the joining looks for it
            found.attempt(lambda r=part.python, k=key: load_function(r, key=f"{k}.python"))  # type: ignore[misc]
    if executors:
        _inspect_models(loaded, executors, found, clock)
    if config.telemetry.traces is not None:
        found.attempt(lambda: _inspect_traces(config))
    if not found.problems:
        _rehearse(loaded, found)
    found.warnings += rollout_warnings(config, found.models)
    features, output = config.features, config.output
    found.features = feature_words(features)
    if isinstance(output, PythonFunction):
        found.decisions = output.python
    else:
        found.decisions = ", ".join(output.labels) or "the model's output as it is"
    return found


def _fit(config: PipelineConfig, model: ModelInfo) -> None:
    decoder = make_decoder(config, model)
    make_features(config, model, decoder, make_program(config, decoder))


def _inspect_traces(config: PipelineConfig) -> None:
    telemetry = config.telemetry
    if telemetry.traces is None and telemetry.metrics.otlp is None:
        return
    from streamproc.telemetry.otlp_connect import check_collector  # noqa: PLC0415 - 0.2 s for who exports
    from streamproc.telemetry.otlp_transports import METRICS, TRACES  # noqa: PLC0415

    if telemetry.traces is not None:
        check_collector(telemetry.traces, TRACES)
    if telemetry.metrics.otlp is not None:
        check_collector(telemetry.metrics.otlp, METRICS)


def _inspect_models(
    loaded: LoadedConfig, executors: Sequence[Executor], found: Found, clock: Clock
) -> None:
    config = loaded.config
    try:
        found.models = [executor.info for executor in executors]
        best = found.models[0]
        found.attempt(lambda: _fit(config, best))
        found.attempt(lambda: make_decider(config, found.models))
        found.attempt(lambda: make_doubt(config, found.models))
        for executor in executors:
            found.attempt(lambda e=executor: _measure(loaded, e, found, clock))  # type: ignore[misc]
    finally:
        for executor in executors:
            executor.close()


def _measure(loaded: LoadedConfig, executor: Executor, found: Found, clock: Clock) -> None:
    config, info = loaded.config, executor.info
    if not info.inputs:
        note = "does not say what it takes, so it cannot be measured before the first event"
        found.warnings.append(Problem(note, "model"))
        return
    size_max = min(config.batching.max_size, info.batch_max or config.batching.max_size)
    try:
        sizes, run_ns = sweep(executor, size_max=size_max, clock=clock)
    except Exception as error:
        text = str(error).splitlines()[0] if str(error) else repr(error)
        raise ConfigError(Problem(f"the model fails on zeros: {text}", "model")) from error
    latency = LatencyModel(sizes, run_ns, size_max=size_max)
    shown = sorted({size for size in (*SHOWN_SIZES, size_max) if size <= size_max})
    found.batch_ms[info.variant] = {
        size: round(latency.predict_ns(size) / NS_PER_MS, _MS_DECIMALS) for size in shown
    }
    budget_ns = int(config.deadline.budget)
    send_ns = SendLatency(ceiling_ns=budget_ns).send_ns
    alone_ns = latency.predict_ns(1) + send_ns
    quickest = found.models[len(config.model.ladder) - 1]
    if info is quickest and alone_ns > budget_ns // BUDGET_PART:
        text = (
            f"an event alone takes {latency.predict_ns(1) / NS_PER_MS:.1f} ms in the model and about "
            f"{send_ns / NS_PER_MS:.0f} ms to the broker: more than half of the {config.deadline.budget} "
            "budget, so many will be shed or late"
        )
        found.warnings.append(Problem(text, "deadline.budget"))


def _rehearse(loaded: LoadedConfig, found: Found) -> None:
    """Send two made-up events through the whole pipeline on a virtual clock."""
    config = loaded.config
    if not isinstance(config.codec, ArrowCodec | TensorCodec):
        # The fields alone, where their names say: what else the schemas ask for is not known here.
        config = replace(config, codec=JsonCodec(types_of(config.codec.fields)))
    trial = PipelineTest(replace(loaded, config=config))
    topic = (config.source.topics or (config.name,))[0]
    decoder = make_decoder(config, trial.executors[0].info)
    make_decoder(loaded.config, trial.executors[0].info)  # its files can be read, and fit
    for _ in range(2):
        trial.send(topic, _made_up(config, decoder.fields, trial.now_ns), key="0")
    result = trial.run()
    # Made-up events have nothing before them that they could be joined with.
    lonely = set(result.summary["reasons"]) <= {Reason.NO_PARTNER}
    if result.summary["outcomes"]["dead_letter"] and not lonely:
        why = result.dead_letters[0].detail if result.dead_letters else ""
        why = why or ", ".join(result.summary["reasons"])
        text = f"two made-up events, all zeros and empty texts, became dead letters: {why}"
        key = "output" if "decide" in ", ".join(result.summary["reasons"]) else "features"
        found.warnings.append(Problem(text, key))


def _made_up(
    config: PipelineConfig, fields: Mapping[str, FieldType], now_ns: int
) -> dict[str, object] | bytes:
    """An event with zeros and empty texts in its fields, that happens now."""
    stamp = now_ns // int(Duration.parse(f"1{config.event_time.unit}"))
    columns = {
        name: np.array([stamp]) if name == config.event_time.field else _blank(kind)
        for name, kind in fields.items()
    }
    if isinstance(config.codec, TensorCodec):
        return columns[config.codec.field].tobytes()
    if isinstance(config.codec, ArrowCodec):
        from streamproc.codecs.arrow import arrow_record  # noqa: PLC0415 - an extra

        return arrow_record(columns)
    event: dict[str, object] = {}
    for name, column in columns.items():
        *path, last = name.split(".")
        inner: dict[str, object] = event
        for part in path:
            below = inner.setdefault(part, {})
            inner = below if isinstance(below, dict) else {}
        inner[last] = column[0].tolist() if fields[name].shape else column.tolist()[0]
    return event


def _blank(kind: FieldType) -> Array:
    """One zero or empty text of a field's type, [1, ...]."""
    if kind.dtype == "str":
        return object_column([""])
    return np.zeros((1, *kind.shape), kind.numpy)


async def inspect_topics(loaded: LoadedConfig, found: Found) -> None:
    """Ask the brokers for the topics that the pipeline names."""
    config = loaded.config
    source, sink, changelog = config.source, config.sink, config.state.changelog
    made = {
        topic: key
        for topic, key in (
            (dead_letter_topic(config), "outcomes.dead_letter_topic"),
            (config.outcomes.shed_topic, "outcomes.shed_topic"),
            (config.outcomes.ledger_topic, "outcomes.ledger_topic"),
            (None if changelog is None else changelog.topic, "state.changelog.topic"),
        )
        if topic is not None
    }
    try:
        if isinstance(source, KafkaSource):
            shapes = await _shapes(Access.of_source(source), source.topics)
            _take("source.kafka.topics", shapes, found)
            found.broker = source.bootstrap_servers
        if not isinstance(sink, KafkaSink):
            return
        shapes = await _shapes(Access.of_sink(sink, source), [sink.topic, *made])
        later = {topic for topic in made if shapes[topic] is None}
        found.topics |= dict.fromkeys(later)
        _take("sink.kafka.topic", {t: s for t, s in shapes.items() if t not in later}, found)
        found.broker = found.broker or sink.bootstrap_servers
        await _look_at_objectives(config, sink, found)
        shadow = None if config.rollout is None else config.rollout.shadow
        if shadow is not None and shadow.topic is not None:
            shapes = await _shapes(Access.of_sink(sink, source), [shadow.topic])
            _take("rollout.shadow.topic", shapes, found)
        await _look_at_schema(config, found)
    except ConfigError as error:
        found.problems += error.problems
    except ExternalError as error:
        part, _, text = str(error).partition(": ")
        found.problems.append(Problem(text, f"{part}.bootstrap_servers"))


async def _look_at_schema(config: PipelineConfig, found: Found) -> None:
    """The decisions' schema in its registry, which is only looked for."""
    try:
        await ask_for_decision_schema(config, register=False)
    except ExternalError as error:
        found.problems.append(Problem(str(error), "decisions"))


async def _look_at_objectives(config: PipelineConfig, sink: KafkaSink, found: Found) -> None:
    """The topics of alerts and of labels, which are not made."""
    if config.alerts.topic is not None:
        shapes = await _shapes(Access.of_sink(sink, config.source), [config.alerts.topic])
        _take("alerts.topic", shapes, found)
    for place, objective in enumerate(config.slo):
        if objective.labels is not None and isinstance(config.source, KafkaSource):
            shapes = await _shapes(Access.of_source(config.source), [objective.labels.topic])
            _take(f"slo[{place}].labels.topic", shapes, found)


async def _shapes(access: Access, topics: Collection[str]) -> dict[str, TopicShape | None]:
    settings = access.settings()
    await access.check_reachable()
    async with access.explained():
        return await topic_shapes(settings, topics)


def _take(key: str, shapes: dict[str, TopicShape | None], found: Found) -> None:
    missing = [topic for topic, shape in shapes.items() if shape is None]
    if missing:
        text = f"topic {', '.join(missing)} does not exist: make it, or name another"
        found.problems.append(Problem(text, key))
    found.topics |= {topic: shape.partitions for topic, shape in shapes.items() if shape}


def tensor_words(spec: TensorSpec) -> str:
    """``f float32[n, 24]``."""
    sizes = ["n", *("?" if size is None else str(size) for size in spec.shape)]
    return f"{spec.name} {spec.dtype}[{', '.join(sizes)}]"


def state_words(spec: StateSpec) -> str:
    """``h float32[2, 128] <- hN``."""
    return f"{spec.input} {spec.dtype}{list(spec.shape)} <- {spec.output}"

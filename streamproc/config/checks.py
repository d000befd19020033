"""What no single key shows: names that must be fields, topics that would feed themselves.

Each check takes what it compares and yields paths and messages; ``findings`` runs those whose parts
are there, so that one wrong key hides nothing of the others.
"""

import re
from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any

from streamproc.codecs import (
    ArrowCodec,
    Codec,
    FieldType,
    OneCodec,
    TensorCodec,
    TopicCodecs,
    types_of,
)
from streamproc.config.cascade_checks import CASCADE_CHECKS
from streamproc.config.chain_checks import CHAIN_CHECKS
from streamproc.config.codec_checks import CODEC_CHECKS, codec_name, codecs_at
from streamproc.config.delivery_checks import DELIVERY_CHECKS
from streamproc.config.ends import END_CHECKS, Sink, Source
from streamproc.config.feature_checks import FEATURE_CHECKS
from streamproc.config.foreign_names import nearest
from streamproc.config.model_state_checks import MODEL_STATE_CHECKS
from streamproc.config.recording_checks import RECORDING_CHECKS
from streamproc.config.rollout_checks import ROLLOUT_CHECKS
from streamproc.config.scheduling_checks import SCHEDULING_CHECKS
from streamproc.config.security_checks import SECURITY_CHECKS
from streamproc.config.serve_checks import SERVE_CHECKS
from streamproc.config.slo_checks import SLO_CHECKS
from streamproc.config.spec import PipelineConfig
from streamproc.config.topic_checks import TOPIC_CHECKS
from streamproc.config.tree import Finding, Path, dotted
from streamproc.connectors.files import FileSource
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import ConfigError, Problem
from streamproc.engine import Deadline, EventTime, Outcomes, Output, PythonFunction
from streamproc.executors import Model, OnnxRuntime, OpenVino, PythonModel, Remote, Simulated
from streamproc.features import Duplicates, Feature, FeatureState
from streamproc.features.operators import Lookup

_TOPIC = re.compile(r"^(?!\.\.?$)[A-Za-z0-9._-]{1,249}$")
"""Kafka's rule: org.apache.kafka.common.internals.Topic."""
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$")
"""So that ``NAME.dlq`` is a topic and the name can be a group."""
_FUNCTION = re.compile(r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$")


def check(config: PipelineConfig) -> None:
    """Refuse what cannot work together, for configurations made in Python.

    Args:
        config: the configuration; a file's is checked when it is loaded.

    Raises:
        ConfigError: with all problems; they have keys, and no lines.
    """
    parts = {name: getattr(config, name) for name in PipelineConfig.__dataclass_fields__}
    problems = [Problem(message, dotted(path)) for path, message in findings(parts)]
    if problems:
        raise ConfigError(*problems)


def findings(parts: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong among the parts that are there.

    Args:
        parts: values of ``PipelineConfig`` by the field's name; any may be missing.
    """
    for check_parts, names in _CHECKS:
        if all(name in parts for name in names):
            yield from check_parts(*(parts[name] for name in names))


def _name(name: str) -> Iterator[Finding]:
    if not _NAME.match(name):
        yield ("name",), f"must be letters, digits, . _ or -, at most 200 of them, was {name!r}"


def _field_types(codec: Codec) -> Iterator[Finding]:
    for path, one in codecs_at(codec):
        yield from _types_of_one(one, path)


def _types_of_one(codec: OneCodec, at: Path) -> Iterator[Finding]:
    if isinstance(codec, TensorCodec):
        try:
            kind = FieldType.parse(codec.type)
        except ValueError as error:
            yield (*at, "type"), str(error)
        else:
            if not (kind.is_float or kind.is_integer):
                yield (*at, "type"), f"must be numbers, was {kind}"
        return
    name = codec_name(codec)
    path: Path = (*at, "fields")
    if not codec.fields and name != "arrow":
        yield path, "is empty: name at least one field and its type, such as {price: float64}"
    for field, text in types_of(codec.fields).items():
        try:
            kind = FieldType.parse(text)
        except ValueError as error:
            yield (*path, field), str(error)
        else:
            if name != "arrow" and len(kind.shape) > 1:
                yield (
                    (*path, field),
                    f"lists have one dimension: write {kind.dtype}[{kind.size}]",
                )


def _event_key(codec: Codec, key: str | None) -> Iterator[Finding]:
    yield from _key(codec, key, ("key",))


def _sink_key(codec: Codec, sink: Sink) -> Iterator[Finding]:
    if isinstance(sink, KafkaSink):
        yield from _key(codec, sink.key, ("sink", "kafka", "key"))


def _key(codec: Codec, name: str | None, path: Path) -> Iterator[Finding]:
    if name is not None:
        field = yield from _field(codec, name, path)
        if field and (field.shape or not (field.dtype == "str" or field.is_integer)):
            yield path, f"must be a field of type str or a whole number, {name} is {field}"


def _duplicates(codec: Codec, duplicates: Duplicates | None) -> Iterator[Finding]:
    if duplicates is not None:
        yield from _key(codec, duplicates.field, ("duplicates", "field"))


def _event_time(codec: Codec, event_time: EventTime) -> Iterator[Finding]:
    yield from _time(codec, event_time.field, ("event_time", "field"))


def _deadline(codec: Codec, deadline: Deadline) -> Iterator[Finding]:
    yield from _time(codec, deadline.field, ("deadline", "field"))


def _time(codec: Codec, name: str | None, path: Path) -> Iterator[Finding]:
    if name is not None:
        field = yield from _field(codec, name, path)
        if field and (field.shape or not field.is_integer):
            yield path, f"must be a field that is a whole number, {name} is {field}"


def _features(
    codec: Codec, features: Sequence[str | Feature] | PythonFunction
) -> Iterator[Finding]:
    if isinstance(features, PythonFunction):
        yield from _function(features.python, ("features", "python"))
        return
    for position, name in enumerate(features):
        if not isinstance(name, str):
            continue
        path: Path = ("features", position)
        field = yield from _field(codec, name, path)
        if field and field.dtype == "str":
            yield path, f"must be a field of numbers, {name} is a str"
    yield from _repeated([f for f in features if isinstance(f, str)], ("features",))
    for position, feature in enumerate(features):
        if isinstance(feature, Lookup) and feature.python is not None:
            yield from _function(feature.python, ("features", position, "lookup", "python"))


def _field(codec: Codec, name: str, path: Path) -> Generator[Finding, None, FieldType | None]:
    """The type of a field that is named at a path, if it is one."""
    if isinstance(codec, ArrowCodec) and not codec.fields:
        return None  # they are those that are named
    if name in codec.fields:
        try:
            return FieldType.parse(types_of(codec.fields)[name])
        except ValueError:
            return None  # reported with the codec
    where = f"codec.{codec_name(codec)}.{'codecs' if isinstance(codec, TopicCodecs) else 'fields'}"
    if isinstance(codec, TensorCodec):
        where = "the tensor"
    near = nearest(name, codec.fields)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(codec.fields)}"
    yield path, f"{name!r} is no field of {where}; {hint}"
    return None


def _output(output: Output | PythonFunction) -> Iterator[Finding]:
    if isinstance(output, PythonFunction):
        yield from _function(output.python, ("output", "python"))
    else:
        yield from _repeated(output.labels, ("output", "labels"))


def _model(model: Model) -> Iterator[Finding]:
    runs: list[tuple[Path, object]] = [(("model",), model.executor)]
    runs += [(("model", "variants", n), v.executor) for n, v in enumerate(model.variants)]
    for path, executor in runs:
        if isinstance(executor, PythonModel):
            yield from _function(executor.callable, (*path, "executor", "python", "callable"))
        if model.isolated and isinstance(executor, Simulated):
            what = "a simulated model does nothing that could crash: remove it, or simulated"
            yield ("model", "isolation"), what
        if model.isolated and isinstance(executor, Remote):
            what = "a model on another machine is in a process of its own already: remove it, or remote"
            yield ("model", "isolation"), what
    for place, variant in enumerate(model.variants):
        if not variant.files and isinstance(
            variant.executor or model.executor, OnnxRuntime | OpenVino
        ):
            yield ("model", "variants", place, "path"), "is missing: name the ONNX file, or a chain"
    names = [variant.name for variant in model.variants]
    for place, name in enumerate(names):
        if name in names[:place]:
            yield ("model", "variants", place, "name"), f"{name!r} is named before; keep one"


def _model_inputs(
    model: Model, features: Sequence[str | Feature] | PythonFunction
) -> Iterator[Finding]:
    if isinstance(features, PythonFunction) or not features:
        return
    if any(not isinstance(feature, str) for feature in features):
        return  # what operators make is known when the parts are joined
    for name in model.inputs:
        if name not in features:
            message = f"{name!r} is not among the features: {', '.join(map(str, features))}"
            yield ("model", "inputs", name), message


def _function(text: str, path: Path) -> Iterator[Finding]:
    if not _FUNCTION.match(text):
        yield path, f"must be package.module:name, such as mypkg.features:build, was {text!r}"


def _source_topics(source: Source) -> Iterator[Finding]:
    if isinstance(source, FileSource):
        yield from _topic(source.topics[0], ("source", "file", "topic"))
        return
    kind = "kafka" if isinstance(source, KafkaSource) else "capture"
    path: Path = ("source", kind, "topics")
    for position, topic in enumerate(source.topics):
        yield from _topic(topic, (*path, position))
    yield from _repeated(source.topics, path)


def _topics_out(source: Source, sink: Sink) -> Iterator[Finding]:
    if not isinstance(sink, KafkaSink):
        return
    path: Path = ("sink", "kafka", "topic")
    yield from _topic(sink.topic, path)
    if _same_cluster(source, sink) and sink.topic in source.topics:
        yield path, f"{sink.topic!r} is a source topic too: decisions would be read as events"


def _undecided(name: str, source: Source, sink: Sink, outcomes: Outcomes) -> Iterator[Finding]:
    dead_letters = f"{name}.dlq" if outcomes.dead_letter_topic == "" else outcomes.dead_letter_topic
    for key, topic in (
        ("dead_letter_topic", dead_letters),
        ("shed_topic", outcomes.shed_topic),
        ("ledger_topic", outcomes.ledger_topic),
    ):
        path: Path = ("outcomes", key)
        if topic is None:
            continue
        if topic or key != "dead_letter_topic":
            yield from _topic(topic, path)
        if _same_cluster(source, sink) and topic in source.topics:
            yield (
                path,
                f"{topic!r} is a source topic too: the same events would come again and again",
            )
        if topic == sink.topic:
            yield (
                path,
                f"{topic!r} is the sink's topic too: consumers of decisions would read other records",
            )


def _changelog(state: FeatureState) -> Iterator[Finding]:
    if state.changelog is not None:
        yield from _topic(state.changelog.topic, ("state", "changelog", "topic"))


def _topic(topic: str, path: Path) -> Iterator[Finding]:
    if not _TOPIC.match(topic):
        yield path, f"must be a topic's name (letters, digits, . _ -, at most 249), was {topic!r}"


def _same_cluster(source: Source, sink: Sink) -> bool:
    if not (isinstance(source, KafkaSource) and isinstance(sink, KafkaSink)):
        return False
    return sink.bootstrap_servers in ("", source.bootstrap_servers)


def _repeated(names: Sequence[str], path: Path) -> Iterator[Finding]:
    for name, count in Counter(names).items():
        if count > 1:
            last = max(position for position, other in enumerate(names) if other == name)
            yield (*path, last), f"{name!r} is named {count} times; keep one"


_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_name, ("name",)),
    (_field_types, ("codec",)),
    (_event_key, ("codec", "key")),
    (_sink_key, ("codec", "sink")),
    (_event_time, ("codec", "event_time")),
    (_duplicates, ("codec", "duplicates")),
    (_deadline, ("codec", "deadline")),
    (_features, ("codec", "features")),
    (_output, ("output",)),
    (_model, ("model",)),
    (_model_inputs, ("model", "features")),
    (_source_topics, ("source",)),
    (_topics_out, ("source", "sink")),
    (_undecided, ("name", "source", "sink", "outcomes")),
    *CASCADE_CHECKS,
    *CHAIN_CHECKS,
    (_changelog, ("state",)),
    *CODEC_CHECKS,
    *TOPIC_CHECKS,
    *FEATURE_CHECKS,
    *MODEL_STATE_CHECKS,
    *END_CHECKS,
    *DELIVERY_CHECKS,
    *SCHEDULING_CHECKS,
    *RECORDING_CHECKS,
    *SECURITY_CHECKS,
    *SERVE_CHECKS,
    *SLO_CHECKS,
    *ROLLOUT_CHECKS,
)
"""Each check and the parts that it takes."""

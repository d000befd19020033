"""What no single key shows of features: operators and fields, what is remembered, and what would be missing from it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from streamproc.codecs import ArrowCodec, Codec, FieldType, TensorCodec, types_of
from streamproc.config.ends import Sink, Source
from streamproc.config.security_checks import is_there
from streamproc.config.tree import Finding, Node
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import ConfigError, Problem
from streamproc.engine import Outcomes, PythonFunction
from streamproc.features import Expression, Feature, FeatureState, Program
from streamproc.features.operators import Lookup
from streamproc.scheduling import Conflate, ShedName, ShedPolicy, SkipAhead, shed_policies

_RECORD_EXTRA = 1_024
"""Of a record of a changelog beside the row: its key and what it says of itself."""

Features = Sequence[str | Feature] | PythonFunction


def resolve_tables(root: Node, folder: FilePath, problems: list[Problem]) -> None:
    """Make the files of lookups start from the configuration's folder, and see that they are there.

    Args:
        root: the tree, changed.
        folder: the configuration's.
        problems: takes what is missing.
    """
    features = root.at(("features",))
    for place, _ in features.children() if features is not None else ():
        path = ("features", place, "lookup", "file")
        node = root.at(path)
        if node is None or not isinstance(node.value, str):
            continue
        node.value = str(folder / node.value)
        if not is_there(FilePath(node.value)):
            text = f"there is no file {node.value!r}; relative paths start from the configuration's folder"
            problems.append(root.problem(path, text))


def _operators(codec: Codec, features: Features, state: FeatureState) -> Iterator[Finding]:
    """Look at the operators one after the other, as far as the fields' types are known."""
    program = _program(codec, features, state)
    if state.changelog is not None and _remembers_nothing(features):
        yield ("state", "changelog"), "no feature remembers anything of keys: remove it"
    if isinstance(program, ConfigError):
        for problem in program.problems:
            yield _path(problem.key), problem.message
    elif (
        program is not None
        and program.remembers
        and state.changelog is None
        and state.restore == "rewind"
    ):
        yield from _restorable(program, state)


def _lookups(features: Features, source: Source) -> Iterator[Finding]:
    if isinstance(features, PythonFunction):
        return
    for place, feature in enumerate(features):
        if not isinstance(feature, Lookup) or feature.topic is None:
            continue
        path = ("features", place, "lookup", "topic")
        if not isinstance(source, KafkaSource):
            yield (
                path,
                "is read of source.kafka's cluster, and there is none: name a file, or python",
            )
        elif feature.topic in source.topics:
            text = f"{feature.topic!r} is a source topic: join it with as_of, or remove it from source.kafka.topics"
            yield path, text


def _remembers_nothing(features: Features) -> bool:
    """Whether no operator could: a list of names, or a function that is given batches."""
    return isinstance(features, PythonFunction) or all(
        isinstance(feature, str) for feature in features
    )


def _restorable(program: Program, state: FeatureState) -> Iterator[Finding]:
    if program.reach_ns is not None:
        return
    if state.ttl is None and program.counts_events:
        yield (
            ("state", "ttl"),
            "is needed: rewinding must know how far back windows by events look; write 1h, or a changelog: {topic: NAME}",
        )
    else:
        yield (
            ("state", "restore"),
            (
                "rewind cannot bring back what cumulative and custom keep for ever: write changelog: {topic: NAME} beside it, "
                "remembers: 1h in custom, or restore: none"
            ),
        )


def _changelog(
    name: str,
    codec: Codec,
    features: Features,
    state: FeatureState,
    source: Source,
    sink: Sink,
    outcomes: Outcomes,
) -> Iterator[Finding]:
    """Where what is remembered is written, and whether a record holds it."""
    if state.changelog is None:
        return
    if not (isinstance(source, KafkaSource) and isinstance(sink, KafkaSink)):
        yield (
            ("state", "changelog"),
            "is a topic beside the source's and the sink's: both must be Kafka",
        )
        return
    path = ("state", "changelog", "topic")
    topic = state.changelog.topic
    letters = f"{name}.dlq" if outcomes.dead_letter_topic == "" else outcomes.dead_letter_topic
    others = (*source.topics, sink.topic, letters, outcomes.shed_topic, outcomes.ledger_topic)
    if topic in others:
        yield path, f"{topic!r} has other records: a changelog needs a topic of its own"
    program = _program(codec, features, state)
    room = min(int(sink.max_record), int(sink.max_batch)) - _RECORD_EXTRA
    if isinstance(program, Program) and program.keyed and program.rows.bytes_a_row > room:
        yield (
            ("state", "changelog"),
            (
                f"what is remembered of a key takes {program.rows.bytes_a_row} bytes, more than a record of "
                f"sink.kafka.max_record and max_batch holds ({room}): remember fewer events"
            ),
        )


def _gaps(
    codec: Codec,
    features: Features,
    state: FeatureState,
    shed: Sequence[ShedPolicy | ShedName],
) -> Iterator[Finding]:
    program = _program(codec, features, state)
    if not isinstance(program, Program) or not program.remembers or state.on_gap is not None:
        return
    for place, policy in enumerate(shed):
        try:
            (made,) = shed_policies([policy])
        except ValueError:
            continue  # reported with the policies
        if isinstance(made, Conflate | SkipAhead):
            name = "conflate" if isinstance(made, Conflate) else "skip_ahead"
            yield (
                ("shed", place),
                f"{name} gives up what features would have remembered: remove it, or write state: {{on_gap: keep}}",
            )


def _conditions(
    codec: Codec,
    features: Features,
    state: FeatureState,
    filter: str | None,  # noqa: A002 - the key's name
    absorb: str | None,
) -> Iterator[Finding]:
    fields = _fields_of(codec)
    program = _program(codec, features, state)
    made = {} if not isinstance(program, Program) else program.fields
    for key, text in (("filter", filter), ("absorb", absorb)):
        if text is None or fields is None:
            continue
        known = {n: str(k) for n, k in made.items()} if key == "absorb" and made else fields
        try:
            if not Expression.parse(text, known).is_condition:
                yield (key,), f"must be a condition, such as price > 10, was a number: {text!r}"
        except ValueError as error:
            yield (key,), str(error)


def _program(codec: Codec, features: Features, state: FeatureState) -> Program | ConfigError | None:
    """The operators, bound to the fields; None where there are none, or the fields are not known."""
    if isinstance(features, PythonFunction):
        return None
    operators = [feature for feature in features if not isinstance(feature, str)]
    texts = _fields_of(codec)
    if not operators or texts is None:
        return None
    try:
        fields = {name: FieldType.parse(text) for name, text in texts.items()}
    except ValueError:
        return None  # reported with the codec
    places = [place for place, feature in enumerate(features) if not isinstance(feature, str)]
    try:
        return Program(operators, fields=fields, state=state, places=places, load=False)
    except ConfigError as error:
        return error


def _fields_of(codec: Codec) -> Mapping[str, str] | None:
    """The decoded fields' types, as far as the file tells."""
    if isinstance(codec, TensorCodec):
        return {codec.field: codec.type}
    if isinstance(codec, ArrowCodec) and not codec.fields:
        return None
    return types_of(codec.fields)


def _path(key: str) -> tuple[str | int, ...]:
    """``features[3]`` as a path."""
    name, _, place = key.partition("[")
    return (name, int(place.rstrip("]"))) if place else (name,)


FEATURE_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_operators, ("codec", "features", "state")),
    (_lookups, ("features", "source")),
    (_changelog, ("name", "codec", "features", "state", "source", "sink", "outcomes")),
    (_gaps, ("codec", "features", "state", "shed")),
    (_conditions, ("codec", "features", "state", "filter", "absorb")),
)
"""As those of ``checks``: each check and the parts that it takes."""

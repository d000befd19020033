"""From the configuration to the operators, and to what the model is given."""

import logging

from streamproc.codecs import Decoders, TopicCodecs, TopicDecoders
from streamproc.config import PipelineConfig
from streamproc.core import ConfigError, ModelInfo, Problem, Rewinding, Source, load_function
from streamproc.engine import Changelog, EventOrder, FeatureStep, PartitionTable, PythonFunction
from streamproc.features import (
    Expression,
    Features,
    FieldFeatures,
    Program,
    PythonFeatures,
)
from streamproc.runtime.lookup_tables import make_tables

log = logging.getLogger(__name__)


def make_features(
    config: PipelineConfig, model: ModelInfo, decoder: Decoders, program: Program | None = None
) -> Features:
    """The features that the configuration names.

    Args:
        config: what the user wrote.
        model: what takes them.
        decoder: whose fields they are.
        program: the operators whose columns they are too; None where there are none.

    Raises:
        ConfigError: they do not fit the model, or the user's function cannot be found.
    """
    if isinstance(config.features, PythonFunction):
        return PythonFeatures(
            load_function(config.features.python, key="features.python"),
            options=config.features.options or {},
            inputs=model.inputs,
        )
    kinds = decoder.fields if program is None else program.fields
    return FieldFeatures(
        feature_names(config, program),
        shapes={name: kind.shape for name, kind in kinds.items()},
        texts={name for name, kind in kinds.items() if kind.dtype == "str"},
        inputs=model.inputs,
        names=config.model.inputs,
    )


def feature_names(config: PipelineConfig, program: Program | None) -> list[str]:
    """The columns that the model is given, in the order of the file; those that begin with ``_`` are not."""
    if isinstance(config.features, PythonFunction):
        return []
    names: list[str] = []
    made = iter([] if program is None else program.made_by)
    for feature in config.features:
        if isinstance(feature, str):
            names.append(feature)
        else:
            names += [name for name in next(made) if not name.startswith("_")]
    return names


def make_program(config: PipelineConfig, decoder: Decoders) -> Program | None:
    """The operators that the configuration names; None where there are none.

    Raises:
        ConfigError: they do not fit the fields or one another.
    """
    if isinstance(config.features, PythonFunction):
        return None
    operators = [feature for feature in config.features if not isinstance(feature, str)]
    if not operators:
        return None
    places = [p for p, feature in enumerate(config.features) if not isinstance(feature, str)]
    return Program(
        operators,
        fields=decoder.fields,
        state=config.state,
        places=places,
        tables=make_tables(operators, places),
    )


def make_step(
    config: PipelineConfig, decoder: Decoders, program: Program | None
) -> FeatureStep | None:
    """What becomes of events between decoding and the model's inputs; None where nothing does.

    Raises:
        ConfigError: a condition is about what is not decoded.
    """
    if program is None and not (
        config.filter or config.absorb or config.duplicates or config.reorder
    ):
        return None
    state, twice = config.state, config.duplicates
    unique_in = None
    if isinstance(decoder, TopicDecoders) and twice is not None:
        unique_in = decoder.having(twice.field)
    return FeatureStep(
        program or Program([], fields=decoder.fields, state=state),
        keep=_condition(config.filter, decoder, "filter"),
        absorb=_condition(config.absorb, decoder if program is None else program, "absorb"),
        grace_ns=int(state.grace) if state.late == "dead_letter" else None,
        max_future_ns=int(config.deadline.max_future),
        duplicates=twice,
        unique_in=unique_in,
    )


def make_order(config: PipelineConfig, program: Program | None) -> EventOrder | None:
    """Where events wait for those that happened before them; None where they are taken as they come."""
    if config.reorder is None:
        return None
    topics = config.source.topics
    if not topics and isinstance(config.codec, TopicCodecs):
        topics = tuple(config.codec.codecs)
    state = config.state
    grace_ns = int(state.grace) if state.late == "dead_letter" else None
    joins = None if program is None else program.joins
    after_ns = 0 if joins is None else joins.after_ns
    return EventOrder(config.reorder, topics, grace_ns=grace_ns, after_ns=after_ns)


def rewind_ns(config: PipelineConfig, program: Program | None) -> int:
    """How much older than the place where reading begins the records are that features still need; 0 for none."""
    if not remembers(config, program) or config.state.restore == "none":
        return 0
    recalled = config.state.changelog is not None
    reach_ns = 0 if program is None or recalled else program.reach_ns
    if reach_ns is None:
        msg = "rewind needs a bound in time: write state: {ttl: 1h}, or a changelog"
        raise ConfigError(Problem(msg, "state.restore"))
    if recalled and config.duplicates is None:
        return 0
    skew_ns = 0 if config.event_time.field is None else 2 * int(config.state.skew)
    if config.duplicates is not None:  # whose firsts must be known where the operators begin
        reach_ns += int(config.duplicates.within)
    return reach_ns + int(config.state.grace) + skew_ns


def make_changelog(
    config: PipelineConfig, step: FeatureStep | None, partitions: PartitionTable
) -> Changelog | None:
    """What writes down what is remembered of keys; None where nothing is, or nobody asked."""
    asked = config.state.changelog
    if asked is None or step is None or not step.program.keyed:
        return None
    state, dead_ns = config.state, None
    if state.ttl is not None and state.late == "dead_letter" and config.reorder is None:
        # What is still let in is not further back than the grace, and sees nothing that is older by the ttl.
        dead_ns = int(state.ttl) + int(state.grace)
    return Changelog(
        asked.topic,
        step=step,
        partitions=partitions,
        interval_ns=int(asked.interval),
        dead_ns=dead_ns if step.program.only_windows else None,
    )


def remembers(config: PipelineConfig, program: Program | None) -> bool:
    """Whether what becomes of an event depends on those before it."""
    return config.duplicates is not None or (program is not None and program.remembers)


def rewind(source: Source, reach_ns: int) -> None:
    """Let a source begin so much earlier; one that cannot begins with nothing remembered."""
    if isinstance(source, Rewinding):
        source.rewind_ns = reach_ns
    elif reach_ns:
        log.info("the source cannot go back: features begin with nothing remembered")


def _condition(text: str | None, decoder: Decoders | Program, key: str) -> Expression | None:
    if text is None:
        return None
    try:
        return Expression.parse(text, {name: str(kind) for name, kind in decoder.fields.items()})
    except ValueError as error:
        raise ConfigError(Problem(str(error), key)) from None

"""What no single key shows of several source topics: codecs of their own, and fields that all must have."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from streamproc.codecs import ArrowCodec, Codec, TopicCodecs, types_of
from streamproc.config.ends import Source
from streamproc.config.tree import Finding, Path
from streamproc.connectors.kafka import KafkaSource
from streamproc.engine import Deadline, EventTime, PythonFunction, Reorder
from streamproc.features import Feature, FeatureState
from streamproc.features.operators import Interval
from streamproc.scheduling import SkipAhead

_EVENTS_LEAST = 4_096
_CODECS: Path = ("codec", "by_topic", "codecs")


def _topics(codec: Codec, source: Source) -> Iterator[Finding]:
    if not isinstance(codec, TopicCodecs):
        return
    if not codec.codecs:
        yield _CODECS, "is empty: write a codec for each topic, such as quotes: {json: {...}}"
    if not isinstance(source, KafkaSource):
        return
    for place, topic in enumerate(source.topics):
        if topic not in codec.codecs:
            text = f"{topic!r} has no codec: add it to codec.by_topic.codecs"
            yield ("source", "kafka", "topics", place), text
    for topic in codec.codecs:
        if topic not in source.topics:
            yield (
                (*_CODECS, topic),
                "is no topic of source.kafka.topics: add it there, or remove it",
            )


def _fields(codec: Codec) -> Iterator[Finding]:
    if not isinstance(codec, TopicCodecs):
        return
    known: dict[str, tuple[str, str]] = {}
    for topic, one in codec.codecs.items():
        if isinstance(one, ArrowCodec) and not one.fields:
            text = "is needed where topics have codecs of their own; write fields: {price: float64, ...}"
            yield (*_CODECS, topic, "arrow", "fields"), text
        for name, text in types_of(one.fields).items():
            first, kind = known.setdefault(name, (topic, text))
            path: Path = (*_CODECS, topic)
            if kind != text:
                yield path, f"{name!r} is {text}, and {kind} in {first}: give one another name"
            if name == "topic":
                yield path, "'topic' is the topic's name: give the field another name"


def _in_all(
    codec: Codec, key: str | None, event_time: EventTime, deadline: Deadline
) -> Iterator[Finding]:
    """What all events need must be in each topic."""
    if not isinstance(codec, TopicCodecs):
        return
    needed: tuple[tuple[Path, str | None], ...] = (
        (("key",), key),
        (("event_time", "field"), event_time.field),
        (("deadline", "field"), deadline.field),
    )
    for path, name in needed:
        if name is None or name not in codec.fields:
            continue  # reported where the name is looked up
        lacking = [topic for topic, one in codec.codecs.items() if name not in one.fields]
        if lacking:
            text = f"{name!r} is no field of {', '.join(lacking)}: every topic needs it; {{path: ...}} gives a field another name"
            yield path, text


def _in_order(
    reorder: Reorder | None, deadline: Deadline, state: FeatureState, shed: Sequence[object]
) -> Iterator[Finding]:
    if reorder is None:
        return
    waits = int(reorder.slack) + int(reorder.idle)
    if waits >= int(deadline.budget):
        text = f"an event may wait for slack and idle, and its deadline.budget is {deadline.budget}: make one shorter or the other longer"
        yield ("reorder", "slack"), text
    if state.late == "dead_letter" and state.grace < reorder.slack:
        text = f"must be at least reorder.slack ({reorder.slack}): what may take its place later must not be too late"
        yield ("state", "grace"), text
    if state.changelog is not None:
        text = (
            "is of single partitions, and reorder lets several share their keys: remove reorder (and interval), or the "
            "changelog, and write ttl: 1h; cumulative needs the changelog, so it does not go with reorder"
        )
        yield ("state", "changelog"), text
    if reorder.max_events < _EVENTS_LEAST:
        text = f"must be at least {_EVENTS_LEAST}: a poll brings up to 1024, and half of them may wait before a topic is not read on"
        yield ("reorder", "max_events"), text
    for place, policy in enumerate(shed):
        if isinstance(policy, SkipAhead) or policy == "skip_ahead":
            text = "skip_ahead jumps over events that others wait for: remove it, or reorder"
            yield ("shed", place), text


def _intervals(
    features: Sequence[str | Feature] | PythonFunction, reorder: Reorder | None, deadline: Deadline
) -> Iterator[Finding]:
    if isinstance(features, PythonFunction):
        return
    for place, feature in enumerate(features):
        if not isinstance(feature, Interval):
            continue
        path: Path = ("features", place, "interval")
        if reorder is None:
            text = "needs reorder, which knows when all in an interval are there: write reorder: {slack: 200ms}"
            yield path, text
        elif int(feature.after) + int(reorder.slack) + int(reorder.idle) >= int(deadline.budget):
            text = f"an event waits for after and reorder.slack, and its deadline.budget is {deadline.budget}: make them shorter or it longer"
            yield (*path, "after"), text


def _over_topics(
    codec: Codec, features: Sequence[str | Feature] | PythonFunction, reorder: Reorder | None
) -> Iterator[Finding]:
    """Without an order of all topics, a key has a state of its own in each of them."""
    if reorder is not None or not isinstance(codec, TopicCodecs):
        return
    if isinstance(features, PythonFunction) or len(codec.codecs) < 2:  # noqa: PLR2004 - several
        return
    for place, feature in enumerate(features):
        when = getattr(feature, "when", None)
        if isinstance(feature, Interval):
            continue  # it needs reorder anyway
        if isinstance(when, str) and re.search(r"\btopic\b", when):
            text = "each topic's keys are its own without reorder: write reorder: {slack: 200ms} to join topics"
            yield ("features", place), text


TOPIC_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_topics, ("codec", "source")),
    (_fields, ("codec",)),
    (_in_all, ("codec", "key", "event_time", "deadline")),
    (_in_order, ("reorder", "deadline", "state", "shed")),
    (_intervals, ("features", "reorder", "deadline")),
    (_over_topics, ("codec", "features", "reorder")),
)
"""As those of ``checks``: each check and the parts that it takes."""

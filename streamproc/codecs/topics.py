"""A codec for each topic: events of all of them have the same columns."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from streamproc.codecs.decoded import Decoded, Decoder
from streamproc.codecs.fields import FieldType
from streamproc.codecs.options import TOPIC_FIELD
from streamproc.core import Array, Reason, RecordError


class TopicDecoders:
    """The decoders of a pipeline whose topics have codecs of their own.

    Args:
        decoders: by topic.
        fill: stands for the floats that an event's own topic does not have.

    Attributes:
        several: whether records of any topic may hold several events.
        own: by topic, what reads its own fields alone.
        fields: the fields of all topics, and ``topic``.
    """

    def __init__(self, decoders: Mapping[str, Decoder], *, fill: float) -> None:
        self.several = any(decoder.several for decoder in decoders.values())
        self.fields: dict[str, FieldType] = {}
        for decoder in decoders.values():
            self.fields |= decoder.fields
        self.fields[TOPIC_FIELD] = FieldType("str")
        self._fill = fill
        self.own: dict[str, Decoder] = dict(decoders)
        self._made: dict[str, Decoder] = {}
        self._make()

    def of(self, topic: str) -> Decoder:
        """The decoder of a topic's values; one that takes nothing where the topic has no codec."""
        return self._made.get(topic) or _NoCodec(topic, self.fields, several=self.several)

    def having(self, field: str) -> frozenset[str]:
        """The topics whose own events have a field."""
        return frozenset(topic for topic, decoder in self.own.items() if field in decoder.fields)

    def learning(self, wrap: Callable[[Decoder], Decoder]) -> None:
        """Let each decoder be asked through something else."""
        self.own = {topic: wrap(decoder) for topic, decoder in self.own.items()}
        self._make()

    def watched(self, wrap: Callable[[Decoder], Decoder]) -> None:
        """Let all that is done for each topic, the others' fields included, be seen by somebody."""
        self._made = {topic: wrap(decoder) for topic, decoder in self._made.items()}

    def _make(self) -> None:
        self._made = {
            topic: _WithOthers(topic, decoder, self.fields, fill=self._fill)
            for topic, decoder in self.own.items()
        }


Decoders: TypeAlias = Decoder | TopicDecoders
"""What reads a pipeline's events: one decoder for all topics, or one for each."""


def decoder_of(decoders: Decoders, topic: str) -> Decoder:
    """What reads the values of a topic."""
    return decoders.of(topic) if isinstance(decoders, TopicDecoders) else decoders


class _WithOthers:
    """A topic's decoder, with the other topics' fields beside its own."""

    def __init__(
        self, topic: str, decoder: Decoder, fields: Mapping[str, FieldType], *, fill: float
    ) -> None:
        self._topic = topic
        self._decoder = decoder
        self._fill = fill
        self.fields = fields
        self.several = decoder.several

    def decode(self, values: list[bytes | None]) -> Decoded:
        """See ``Decoder``."""
        decoded = self._decoder.decode(values)
        count = len(values) if decoded.record is None else len(decoded.record)
        # In the order of all fields: batches of several topics are joined, and must look alike.
        columns = {
            name: self._topic_column(count)
            if name == TOPIC_FIELD
            else decoded.columns[name]
            if name in decoded.columns
            else self._filled(kind, count)
            for name, kind in self.fields.items()
        }
        return replace(decoded, columns=columns)

    def _topic_column(self, count: int) -> Array:
        return np.full(count, self._topic, np.object_)

    def _filled(self, kind: FieldType, count: int) -> Array:
        if kind.dtype == "str":
            return np.full(count, "", np.object_)
        value = self._fill if kind.is_float else 0
        return np.full((count, *kind.shape), value, kind.numpy)


class _NoCodec:
    """Takes nothing: a recording may hold topics that the pipeline says nothing of."""

    def __init__(self, topic: str, fields: Mapping[str, FieldType], *, several: bool) -> None:
        self.fields = fields
        self.several = several
        self._error = RecordError(Reason.UNDECODABLE, f"the topic {topic} has no codec")

    def decode(self, values: list[bytes | None]) -> Decoded:
        """See ``Decoder``."""
        none = {name: np.empty((0, *kind.shape), kind.numpy) for name, kind in self.fields.items()}
        rejected = dict.fromkeys(range(len(values)), self._error)
        return Decoded(np.empty(0, np.int64), none, rejected)

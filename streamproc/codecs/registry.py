"""What a schema registry is to a codec: the frame before each value, and what is known of the schemas.

A codec does no I/O. It is asked which schemas it has not met (``missing``), is told them (``learn``), or that nobody
knows them (``refuse``); whoever drives the pipeline asks the registry in between.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar, runtime_checkable

from streamproc.codecs.decoded import Decoder
from streamproc.core import Duration, Reason, RecordError

FRAME_BYTES = 5
"""Confluent's wire format: a zero byte, then the schema's id as four bytes, the highest first."""
SchemaType = Literal["AVRO", "PROTOBUF", "JSON"]


@dataclass(frozen=True, slots=True)
class Registry:
    """A schema registry with Confluent's API.

    Attributes:
        url: where it is; several with commas, which are asked in turn.
        security: ``username`` and ``password``, or ``bearer_token``; ``ssl_cafile``, ``ssl_certfile`` and
            ``ssl_keyfile`` for TLS.
        timeout: how long one request may take.
        unavailable: what becomes of records whose schema cannot be asked for: the pipeline waits (``wait``), or they
            become dead letters after ``patience`` (``dead_letter``).
        patience: how long the registry is asked again and again before that.
        forget_unknown: how long an id that it does not know is not asked for again.
    """

    url: str
    security: Mapping[str, str] = field(default_factory=dict)
    timeout: Duration = Duration.parse("5s")  # noqa: RUF009 - immutable
    unavailable: Literal["wait", "dead_letter"] = "wait"
    patience: Duration = Duration.parse("30s")  # noqa: RUF009 - immutable
    forget_unknown: Duration = Duration.parse("60s")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A schema as a registry gives it.

    Attributes:
        kind: its language.
        text: the schema; of Protobuf, the base64 of a serialised ``FileDescriptorProto``.
        references: the schemas that it refers to, name and text, each before those that refer to it.
    """

    kind: SchemaType
    text: str
    references: tuple[tuple[str, str], ...] = ()


@runtime_checkable
class SchemaDecoder(Decoder, Protocol):
    """A codec whose records name their schemas by id."""

    registry: Registry | None
    kind: SchemaType

    def missing(self, values: Iterable[bytes | None]) -> set[int]:
        """The ids in these values of which nothing is known."""
        ...

    def learn(self, schema_id: int, schema: RegisteredSchema) -> None:
        """What a schema is. One that cannot be used makes dead letters of its records."""
        ...

    def refuse(self, schema_id: int, why: str) -> None:
        """Nobody knows this schema: its records become dead letters."""
        ...

    def forget(self, schema_id: int) -> None:
        """Ask again when it comes the next time."""
        ...


Known = TypeVar("Known")


class Group(NamedTuple, Generic[Known]):
    """Records of one schema.

    Attributes:
        records: their numbers, ascending.
        known: what is known of the schema.
    """

    records: Sequence[int]
    known: Known


class Registered(ABC, Generic[Known]):
    """The part of a ``SchemaDecoder`` that keeps what is known of the schemas, by id.

    Attributes:
        registry: where the schemas are; None where none are asked for.
    """

    kind: SchemaType

    def __init__(self, registry: Registry | None, bytes_max: int) -> None:
        self.registry = registry
        self._bytes_max = bytes_max
        self._known: dict[bytes, Known | RecordError] = {}

    @abstractmethod
    def _made_of(self, schema: RegisteredSchema) -> Known:
        """What the codec needs of a schema of its kind.

        Raises:
            RecordError: it cannot be used.
        """

    def missing(self, values: Iterable[bytes | None]) -> set[int]:
        """See ``SchemaDecoder``."""
        if self.registry is None:
            return set()
        heads = {value[:FRAME_BYTES] for value in values if value}
        return {
            int.from_bytes(head[1:])
            for head in heads - self._known.keys()
            if len(head) == FRAME_BYTES and not head[0]
        }

    def learn(self, schema_id: int, schema: RegisteredSchema) -> None:
        """See ``SchemaDecoder``."""
        try:
            if schema.kind != self.kind:
                text = f"is of {schema.kind}, the codec reads {self.kind}"
                raise RecordError(Reason.WRONG_TYPE, text)  # noqa: TRY301 - as the codec's own
            self._known[_head(schema_id)] = self._made_of(schema)
        except RecordError as error:
            words = f"schema {schema_id}: {error.detail}"
            self._known[_head(schema_id)] = RecordError(error.reason, words)

    def refuse(self, schema_id: int, why: str) -> None:
        """See ``SchemaDecoder``."""
        words = f"schema {schema_id}: {why}"
        self._known[_head(schema_id)] = RecordError(Reason.UNKNOWN_SCHEMA, words)

    def forget(self, schema_id: int) -> None:
        """See ``SchemaDecoder``."""
        self._known.pop(_head(schema_id), None)

    def _groups(
        self, values: Sequence[bytes | None], rejected: dict[int, RecordError]
    ) -> list[Group[Known]]:
        """The records by their schemas; those that have none that is known are rejected.

        Args:
            values: the records' values, with their frames.
            rejected: takes what is wrong.
        """
        by_head: dict[bytes, list[int]] = {}
        for number, value in enumerate(values):
            if not value or len(value) > self._bytes_max:
                rejected[number] = refusal_of(value, self._bytes_max)
            else:
                by_head.setdefault(value[:FRAME_BYTES], []).append(number)
        found: list[Group[Known]] = []
        for head, records in by_head.items():
            known = self._known.get(head) or _not_known(head)
            if isinstance(known, RecordError):
                rejected.update(dict.fromkeys(records, known))
            else:
                found.append(Group(records, known))
        return found


def refusal_of(value: bytes | None, bytes_max: int) -> RecordError:
    """Why a value that is empty or too long cannot be used."""
    if value is None:
        return RecordError(Reason.EMPTY, "the value is null (a tombstone)")
    if not value:
        return RecordError(Reason.EMPTY, "the value has no bytes")
    text = f"the value has {len(value)} bytes, the limit is {bytes_max}"
    return RecordError(Reason.TOO_LARGE, text)


def framed(schema_id: int, body: bytes) -> bytes:
    """A value with its frame."""
    return _head(schema_id) + body


def _head(schema_id: int) -> bytes:
    return b"\0" + schema_id.to_bytes(4)


def _not_known(head: bytes) -> RecordError:
    if len(head) < FRAME_BYTES or head[0]:
        text = "the value does not begin with a zero byte and a schema's id of four bytes: it was not written with a registry"
        return RecordError(Reason.UNDECODABLE, text)
    text = f"schema {int.from_bytes(head[1:])}: nobody has been asked for it"
    return RecordError(Reason.UNKNOWN_SCHEMA, text)

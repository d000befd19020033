"""Recordings made of JSON lines: an export of a topic, the output of ``kcat -J``, or plain events."""

import base64
import gzip
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal, cast

import numpy as np
import orjson

from streamproc.core import NS_PER_MS, NS_PER_S, ConfigError, Headers, RecordBatch, TopicPartition

TimeUnit = Literal["s", "ms", "us", "ns"]
UNITS_NS: Final[Mapping[TimeUnit, int]] = {"s": NS_PER_S, "ms": NS_PER_MS, "us": 1_000, "ns": 1}
_VALUES: Final = ("value", "payload", "value_base64")
"""A line with one of these is a record; one without is an event, and itself the value."""
_FIRST_NS: Final = 1_767_225_600 * NS_PER_S
"""2026-01-01: when the first record was, in a file without times."""
_NS_MAX: Final = 1 << 63


@dataclass(frozen=True, slots=True)
class LineForm:
    """How lines are read, where they do not say it themselves.

    Attributes:
        topic: of records without one.
        key: the dotted path of an event's field that becomes its key; None for none.
        time: the dotted path of an event's field that says when it was; None for none.
        unit: of times that are numbers.
        per_second: how many records come in a second, where they have no time.
        event_unit: of times in events; None takes ``unit``.
        forgiving: True to take a line that is no record for one with the line as its value, to be judged by who reads it.
    """

    topic: str
    key: str | None = None
    time: str | None = None
    unit: TimeUnit = "ms"
    per_second: float = 1000.0
    event_unit: TimeUnit | None = None
    forgiving: bool = False


class JsonLines:
    """Reads lines as what a consumer would have fetched.

    Args:
        form: what lines do not say.
        name: of the file, for messages.

    Attributes:
        records_total: how many there were.
        held_total: those whose time lay before that of a record in front of them: they were consumed with it.
    """

    def __init__(self, form: LineForm, name: str) -> None:
        self._form = form
        self._name = name
        self._next_offset: Counter[TopicPartition] = Counter()
        self._step_ns = int(NS_PER_S / form.per_second)
        self._latest_ns = -1
        self._made_ns = _FIRST_NS
        self.records_total = 0
        self.held_total = 0

    def batches(self, lines: Iterable[bytes]) -> Iterator[RecordBatch]:
        """The records, those that came together in one batch.

        Raises:
            ConfigError: a line is no JSON object, or has parts that a record cannot have.
        """
        held: list[_Line] = []
        for number, text in enumerate(lines, 1):
            if not text.strip():
                continue
            line = self._line(text, number)
            if held and (line.source, line.consumed_ns) != (held[0].source, held[0].consumed_ns):
                yield _batch(held)
                held = []
            held.append(line)
        if held:
            yield _batch(held)

    def _line(self, text: bytes, number: int) -> "_Line":
        try:
            told = orjson.loads(text)
            if not isinstance(told, dict):
                msg = f"must be an object, was {type(told).__name__}"
                raise TypeError(msg)  # noqa: TRY301 - said with the line
            line = self._read(told)
        except (ValueError, TypeError, KeyError) as error:
            if self._form.forgiving:
                return self._as_it_is(text)
            msg = f"{self._name}:{number}: no record: {error}"
            raise ConfigError(msg) from error
        self.records_total += 1
        return line

    def _as_it_is(self, text: bytes) -> "_Line":
        """A record of which only the value is known."""
        source = TopicPartition(self._form.topic, 0)
        offset = self._next_offset[source]
        self._next_offset[source] = offset + 1
        self.records_total += 1
        return _Line(source, offset, -1, self._in_order(None), None, text.rstrip(b"\r\n"), [])

    def _read(self, told: dict[str, Any]) -> "_Line":
        whole = any(name in told for name in _VALUES)
        source = TopicPartition(
            str(told.get("topic", self._form.topic)) if whole else self._form.topic,
            int(told.get("partition", 0)) if whole else 0,
        )
        offset = int(told["offset"]) if whole and "offset" in told else self._next_offset[source]
        if offset < self._next_offset[source]:
            msg = f"offset {offset} of {source.topic}/{source.partition} does not come after the one before"
            raise ValueError(msg)
        self._next_offset[source] = offset + 1
        timestamp_ns = self._time(told, whole=whole)
        consumed_ns = _number_ns(told, "consumed_ns") if whole else None
        return _Line(
            source,
            offset,
            -1 if timestamp_ns is None else timestamp_ns,
            self._in_order(consumed_ns if consumed_ns is not None else timestamp_ns),
            _bytes(told, "key") if whole else self._key(told),
            _value(told) if whole else orjson.dumps(told),
            _headers(told.get("headers")) if whole else [],
        )

    def _time(self, told: dict[str, Any], *, whole: bool) -> int | None:
        """When a record was made, or an event happened; None where it does not say."""
        if not whole:
            at = None if self._form.time is None else _at(told, self._form.time)
            unit = self._form.event_unit or self._form.unit
            return None if at is None else _instant_ns(at, unit)
        exact = _number_ns(told, "timestamp_ns")
        at = told.get("timestamp", told.get("ts"))
        found = exact if exact is not None or at is None else _instant_ns(at, self._form.unit)
        return None if found is None or found < 0 else found

    def _in_order(self, at_ns: int | None) -> int:
        """When it was consumed: never before what stands in front of it."""
        if at_ns is None:
            at_ns = self._made_ns if self._latest_ns < 0 else self._latest_ns + self._step_ns
        if at_ns < self._latest_ns:
            self.held_total += 1
        if not 0 <= at_ns < _NS_MAX:
            msg = f"a time of {at_ns} ns since 1970; is the unit right?"
            raise ValueError(msg)
        self._latest_ns = max(self._latest_ns, at_ns)
        return self._latest_ns

    def _key(self, told: dict[str, Any]) -> bytes | None:
        key = None if self._form.key is None else _at(told, self._form.key)
        return None if key is None else _as_bytes(key)


@dataclass(frozen=True, slots=True)
class _Line:
    source: TopicPartition
    offset: int
    timestamp_ns: int
    consumed_ns: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def open_lines(path: Path) -> BinaryIO:
    """The file's bytes; unpacked where its name ends with ``.gz``.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return cast("BinaryIO", gzip.open(path)) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise ConfigError(msg) from error


def _batch(lines: list[_Line]) -> RecordBatch:
    return RecordBatch(
        source=lines[0].source,
        offset=np.array([line.offset for line in lines], np.int64),
        timestamp_ns=np.array([line.timestamp_ns for line in lines], np.int64),
        key=[line.key for line in lines],
        value=[line.value for line in lines],
        headers={row: line.headers for row, line in enumerate(lines) if line.headers},
        arrival_ns=lines[0].consumed_ns,
        end_position=lines[-1].offset + 1,
    )


def _value(told: Mapping[str, Any]) -> bytes | None:
    return _bytes(told, "payload" if "payload" in told else "value")


def _bytes(told: Mapping[str, Any], name: str) -> bytes | None:
    packed = told.get(f"{name}_base64")
    if packed is not None:
        return base64.b64decode(packed, validate=True)
    value = told.get(name)
    return None if value is None else _as_bytes(value)


def _as_bytes(value: Any) -> bytes:  # noqa: ANN401 - any JSON
    """A text's own bytes; of anything else, its JSON."""
    return value.encode() if isinstance(value, str) else orjson.dumps(value)


def _headers(told: Any) -> Headers:  # noqa: ANN401 - any JSON
    """Headers as a mapping, as pairs, as ``{"key": .., "value": ..}``, or flat as kcat writes them."""
    if not told:
        return []
    if isinstance(told, dict):
        pairs = list(told.items())
    elif all(isinstance(entry, dict) for entry in told):
        pairs = [(entry.get("key", entry.get("name")), _bytes(entry, "value")) for entry in told]
    elif all(isinstance(entry, list) for entry in told):
        pairs = [(name, value) for name, value in told]
    else:
        pairs = list(zip(told[::2], told[1::2], strict=True))
    return [(str(name), _header(value)) for name, value in pairs]


def _header(value: Any) -> bytes | None:  # noqa: ANN401 - any JSON
    return value if value is None or isinstance(value, bytes) else _as_bytes(value)


def _at(told: Any, path: str) -> Any:  # noqa: ANN401 - any JSON
    for name in path.split("."):
        told = told.get(name) if isinstance(told, dict) else None
    return told


def _number_ns(told: Mapping[str, Any], name: str) -> int | None:
    return None if told.get(name) is None else int(told[name])


def _instant_ns(at: Any, unit: TimeUnit) -> int:  # noqa: ANN401 - any JSON
    """A number of the unit, or a text of ISO 8601 (without a zone: UTC), in ns since 1970."""
    if isinstance(at, str):
        moment = datetime.fromisoformat(at)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        since = moment - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * NS_PER_S + since.microseconds * 1_000
    if isinstance(at, bool) or not isinstance(at, int | float):
        msg = f"{at!r} is no time"
        raise TypeError(msg)
    return int(at) * UNITS_NS[unit] if isinstance(at, int) else round(at * UNITS_NS[unit])

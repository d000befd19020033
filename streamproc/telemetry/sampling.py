"""Which events are traced, and under which ids: pure functions of who an event is.

So the decision about a trace, taken when an event's decision is sent, is the same when its outcome is final,
with nothing kept between; a replay traces the same events, and a repeat has the same ids.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamproc.core import Headers, Int64Array, TopicPartition

UInt64Array: TypeAlias = NDArray[np.uint64]

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
_LENGTH = 55
"""Of a ``traceparent`` of version 00 (W3C Trace Context): 2 + 32 + 16 + 2 hex digits and three hyphens."""
_HEX = frozenset(b"0123456789abcdef")
_ODD = frozenset(b"13579bdf")
_HYPHENS = (2, 35, 52)
_GOLDEN, _STIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9)
_HALF = np.uint64(32)


class Parent(NamedTuple):
    """The span that an event comes from."""

    trace_id: bytes
    span_id: bytes


class SpanIds(NamedTuple):
    """The ids of an event's trace and of our spans in it."""

    trace_id: bytes
    process: bytes
    poll: bytes
    queue: bytes
    infer: bytes
    send: bytes
    commit: bytes

    @property
    def traceparent(self) -> bytes:
        """What the decision carries on: our ``send`` is the parent of what is made of it."""
        return b"00-%b-%b-01" % (self.trace_id.hex().encode(), self.send.hex().encode())

    def stage(self, salt: int) -> bytes:
        """The span of a stage that has no id of its own here: our ``process``'s, mixed with a number of the stage's."""
        return (int.from_bytes(self.process, "big") ^ salt).to_bytes(8, "big")


def incoming(headers: Headers) -> bytes | None:
    """The last ``traceparent`` of a record; None where it has none."""
    for name, value in reversed(headers):
        if name == TRACEPARENT:
            return value
    return None


def is_sampled(traceparent: bytes) -> bool:
    """Whether the one who sent it traces, by its last hex digit."""
    return len(traceparent) >= _LENGTH and traceparent[_LENGTH - 1] in _ODD


def parent_of(traceparent: bytes | None) -> Parent | None:
    """The span that it names; None where it names none (it is malformed, or its ids are zeros)."""
    if traceparent is None or len(traceparent) < _LENGTH or traceparent[:2] == b"ff":
        return None
    if len(traceparent) > _LENGTH and (
        traceparent[:2] == b"00" or traceparent[_LENGTH] != ord("-")
    ):
        return None
    if any(traceparent[i] != ord("-") for i in _HYPHENS):
        return None
    digits = traceparent[:2] + traceparent[3:35] + traceparent[36:52] + traceparent[53:_LENGTH]
    if not _HEX.issuperset(digits):
        return None
    trace_id = bytes.fromhex(traceparent[3:35].decode())
    span_id = bytes.fromhex(traceparent[36:52].decode())
    return Parent(trace_id, span_id) if any(trace_id) and any(span_id) else None


class Sampler:
    """Chooses the events that are traced from their start.

    An event whose ``traceparent`` is sampled is; one that comes with another is not; of those without, a share.
    One that is malformed is none, as W3C Trace Context has it.

    Args:
        pipeline: part of an event's identity: two pipelines trace different events.
        ratio: the share of the events without a ``traceparent``, 0 to 1.
    """

    def __init__(self, pipeline: str, ratio: float) -> None:
        self._pipeline = pipeline
        self._below = round(ratio * 2**64)
        self._seeds: dict[TopicPartition, np.uint64] = {}

    def chosen(
        self,
        source: TopicPartition,
        offset: Int64Array,
        row: Int64Array | None,
        headers: Mapping[int, Headers],
    ) -> list[int]:
        """The rows that are traced, ascending.

        Args:
            source: the events' partition.
            offset: int64 [n].
            row: int64 [n], the events' rows within their records; None where each is one.
            headers: the records' headers by row of these columns, of those that have any.
        """
        rows = self._by_ratio(source, offset, row)
        if not headers:
            return rows
        asked = {
            place: value for place, own in headers.items() if (value := incoming(own)) is not None
        }
        sampled = [
            place for place, value in asked.items() if is_sampled(value) and parent_of(value)
        ]
        own = (place for place in rows if parent_of(asked.get(place)) is None)
        return sorted([*own, *sampled])

    def ids(
        self, source: TopicPartition, offset: int, row: int, traceparent: bytes | None
    ) -> SpanIds:
        """The ids of an event's trace; the trace itself is its parent's where it has one."""
        who = f"{self._pipeline}\0{source.topic}/{source.partition}/{offset}/{row}"
        digest = blake2b(who.encode(), digest_size=64).digest()
        parent = parent_of(traceparent)
        return SpanIds(
            digest[:16] if parent is None else parent.trace_id,
            digest[16:24],
            digest[24:32],
            digest[32:40],
            digest[40:48],
            digest[48:56],
            digest[56:],
        )

    def run_ids(self, number: int, planned_ns: int) -> Parent:
        """The ids of a micro-batch's trace and span, by its number and the instant of its start."""
        who = f"{self._pipeline}\0run/{number}/{planned_ns}"
        digest = blake2b(who.encode(), digest_size=24).digest()
        return Parent(digest[:16], digest[16:])

    def _by_ratio(
        self, source: TopicPartition, offset: Int64Array, row: Int64Array | None
    ) -> list[int]:
        if self._below >= 2**64:
            return list(range(len(offset)))
        if not self._below:
            return []
        place = _mixed(offset, self._seed(source))
        if row is not None:
            place = _mixed(row, place)
        return np.flatnonzero(place < np.uint64(self._below)).tolist()

    def _seed(self, source: TopicPartition) -> np.uint64:
        seed = self._seeds.get(source)
        if seed is None:
            who = f"{self._pipeline}\0{source.topic}/{source.partition}".encode()
            seed = np.uint64(int.from_bytes(blake2b(who, digest_size=8).digest(), "little"))
            self._seeds[source] = seed
        return seed


def _mixed(numbers: Int64Array, seed: UInt64Array | np.uint64) -> UInt64Array:
    """Numbers [n] spread over 64 bits, neighbours unlike each other; wraps around, as it should.

    A multiply, a fold and a multiply, as in SplitMix64's finalizer (Steele, Lea, Flood, OOPSLA 2014) without its last
    round: only the highest bits count here, and a batch of 256 takes half the time.
    """
    mixed: UInt64Array = (numbers.view(np.uint64) + seed) * _GOLDEN
    mixed ^= mixed >> _HALF
    mixed *= _STIR
    return mixed

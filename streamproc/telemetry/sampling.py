"""Which events are traced, and under which ids: pure functions of who an event is.

So the decision about a trace, taken when an event's decision is sent, is the same when its outcome is final,
with nothing kept between; a replay traces the same events, and a repeat has the same ids.
"""

import re
from binascii import hexlify
from collections.abc import Mapping
from hashlib import blake2b
from typing import NamedTuple

from streamproc.core import Headers, Int64Array, TopicPartition
from streamproc.telemetry.sampled_offsets import SampledOffsets

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"
_LENGTH = 55
"""Of a ``traceparent`` of version 00 (W3C Trace Context): 2 + 32 + 16 + 2 hex digits and three hyphens."""
_ODD = frozenset(b"13579bdf")
_WELL_FORMED = re.compile(
    rb"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?",
    re.DOTALL,
).fullmatch
"""Any version but ff; a later one than 00 may have more behind."""


class Parent(NamedTuple):
    """The span that an event comes from."""

    trace_id: bytes
    span_id: bytes


class SpanIds(NamedTuple):
    """The ids of an event's trace and of our spans in it.

    Attributes:
        trace_id: 16 bytes.
        spans: the ids of ``process``, ``poll``, ``queue``, ``infer``, ``send`` and ``commit``, 8 bytes each. They are cut
            where spans are made, not where events are decided.
        parent_span_id: the span that the event comes from; empty where it comes from none.
    """

    trace_id: bytes
    spans: bytes
    parent_span_id: bytes

    @property
    def process(self) -> bytes:
        """From the fetch to the outcome."""
        return self.spans[:8]

    @property
    def infer(self) -> bytes:
        """The model's run."""
        return self.spans[24:32]

    @property
    def send(self) -> bytes:
        """From the decision to its acknowledgement."""
        return self.spans[32:40]

    @property
    def commit(self) -> bytes:
        """The storing of the position behind it."""
        return self.spans[40:]

    @property
    def traceparent(self) -> bytes:
        """What the decision carries on: our ``send`` is the parent of what is made of it."""
        return b"00-%b-%b-01" % (hexlify(self.trace_id), hexlify(self.send))


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
    found = None if traceparent is None else _WELL_FORMED(traceparent)
    if found is None:
        return None
    version, trace_id, span_id, more = found.groups()
    if more is not None and version == b"00":
        return None
    return Parent(bytes.fromhex(trace_id.decode()), bytes.fromhex(span_id.decode()))


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
        self._partitions: dict[TopicPartition, SampledOffsets] = {}
        self._digests: dict[TopicPartition, blake2b] = {}

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
        begun = self._digests.get(source)
        if begun is None:
            who = f"{self._pipeline}\0{source.topic}/{source.partition}/"
            begun = self._digests[source] = blake2b(who.encode(), digest_size=64)
        whole = begun.copy()
        whole.update(b"%d/%d" % (offset, row))
        digest = whole.digest()
        parent = None if traceparent is None else parent_of(traceparent)
        if parent is None:
            return SpanIds(digest[:16], digest[16:], b"")
        return SpanIds(parent.trace_id, digest[16:], parent.span_id)

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
        partition = self._partitions.get(source)
        if partition is None:
            who = f"{self._pipeline}\0{source.topic}/{source.partition}".encode()
            seed = int.from_bytes(blake2b(who, digest_size=8).digest(), "little")
            partition = self._partitions[source] = SampledOffsets(seed, self._below)
        return partition.rows(offset, row)

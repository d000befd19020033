"""Which keys are whose: a share of them for each arm, by a hash that is the same in every process and every replay."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from streamproc.core import EventBatch, Float64Array, Int64Array, TopicPartition

_BYTES: Final = 7
"""Of a hash, so that the place is an exact float64 below 1."""
_PLACES: Final = float(1 << 8 * _BYTES)


@dataclass(frozen=True, slots=True)
class Span:
    """The keys of an arm: those whose place is in ``[low, high)``."""

    number: int
    low: float
    high: float


class KeyPlaces:
    """Gives each key a place from 0 to below 1, as if by chance, and always the same.

    Args:
        salt: another one gives other places, independent of these.
    """

    __slots__ = ("_hash",)

    def __init__(self, salt: str) -> None:
        key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
        self._hash = hashlib.blake2b(digest_size=_BYTES, key=key)

    def of(self, events: EventBatch, source: TopicPartition) -> Float64Array:
        """The places of events of one partition (float64 [n]); one without a key has that of its record."""
        keys: Iterable[bytes | None] = events.key.tolist()
        return np.fromiter(
            (
                self._place(b"k" + key if key is not None else _record(source, offset))
                for key, offset in zip(keys, events.offset.tolist(), strict=True)
            ),
            np.float64,
            len(events),
        )

    def _place(self, text: bytes) -> float:
        made = self._hash.copy()
        made.update(text)
        return int.from_bytes(made.digest()) / _PLACES


def arms_at(place: Float64Array, spans: Sequence[Span]) -> Int64Array:
    """The arms of events (int64 [n]), by their places; 0 where they are of none."""
    arm = np.zeros(len(place), np.int64)
    for span in spans:
        arm[(place >= span.low) & (place < span.high)] = span.number
    return arm


def _record(source: TopicPartition, offset: int) -> bytes:
    return f"r{source.topic}/{source.partition}/{offset}".encode()

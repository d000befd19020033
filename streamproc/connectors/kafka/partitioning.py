"""Which partition of the output topic a record goes to."""

from collections.abc import Sequence
from functools import lru_cache

from aiokafka.partitioner import murmur2

from streamproc.core import OutRecords

_KEYS_MAX = 65_536
"""Keys whose partition is remembered: murmur2 in Python costs 10 us, a look-up 0.1."""
_KEY_BYTES = 256
"""Longer keys are not remembered, so that what is remembered stays within 16 MiB."""


def rows_by_partition(
    records: OutRecords, partitions: int, *, same_count: bool
) -> dict[int, Sequence[int]]:
    """The rows that go to each partition; each keeps the order of the rows.

    Args:
        records: what is to be sent.
        partitions: how many the output topic has.
        same_count: True where it has as many as the input topic.

    Returns:
        row numbers by partition. The input's number where both topics have equally many and the key is
        the record's own; else murmur2 of the key, as the Java client does; without a key, the input's
        number modulo the count, so that order is kept.
    """
    own = records.source.partition % partitions
    if same_count and not records.rekeyed:
        return {own: range(len(records))}
    found: dict[int, list[int]] = {}
    for row, key in enumerate(records.key):
        if key is None:
            partition = own
        elif len(key) > _KEY_BYTES:
            partition = partition_of.__wrapped__(key, partitions)
        else:
            partition = partition_of(key, partitions)
        found.setdefault(partition, []).append(row)
    return dict(found)


@lru_cache(maxsize=_KEYS_MAX)
def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a key: murmur2, as the Java client's default partitioner."""
    hashed: int = murmur2(key)
    return (hashed & 0x7FFFFFFF) % partitions

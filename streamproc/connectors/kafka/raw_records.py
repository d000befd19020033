"""Records without a Python object each: what reaches into aiokafka's consumer, all in this file.

aiokafka makes a ``ConsumerRecord`` (twelve fields, 1 to 3 us) of every record that its Cython reader has
parsed, and hands them on one by one through three generators. ``install`` puts a subclass of its
``PartitionRecords`` in place that hands on lists of the reader's own records, for consumers that ask for
it with ``RawLists`` as their key deserializer; all others in the process are untouched. Where aiokafka is
another than we know, nothing is put in place and consumers give their usual records: both kinds have
``offset``, ``timestamp``, ``timestamp_type``, ``key``, ``value`` and ``headers``.
"""

from collections.abc import Iterator
from importlib.metadata import version
from itertools import chain
from typing import Any, Protocol

from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException

KNOWN_VERSIONS = ("0.14.",)


_BASE: Any = getattr(fetcher, "PartitionRecords", object)


class Record(Protocol):
    """What both kinds of record have."""

    offset: int
    timestamp: int
    timestamp_type: int | None
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class RawLists:
    """The key deserializer that asks for lists of raw records; as a deserializer it changes nothing.

    Attributes:
        records: how many a list has at most; what ``getmany`` counts as one record is one such list.
    """

    LONGEST = 256

    def __init__(self) -> None:
        self.records = self.LONGEST

    def ask(self, records_max: int) -> int:
        """Set the lists' length so that whole lists make up ``records_max``; gives their number."""
        self.records = min(self.LONGEST, records_max)
        return records_max // self.records

    def __call__(self, data: bytes | None) -> bytes | None:
        """The key as it is."""
        return data


def install() -> bool:
    """Put raw records in place, once; True where they are.

    Returns:
        False where aiokafka is of a version that this does not know.
    """
    known = version("aiokafka").startswith(KNOWN_VERSIONS)
    if not known or not hasattr(_BASE, "_unpack_records"):
        return False
    fetcher.PartitionRecords = RawPartitionRecords
    return True


def flat(fetched: list[Any]) -> list[Record]:
    """The records of what ``getmany`` gave for a partition: lists of raw ones, or usual ones."""
    if fetched and isinstance(fetched[0], list):
        return fetched[0] if len(fetched) == 1 else list(chain.from_iterable(fetched))
    return fetched


class RawPartitionRecords(_BASE):  # type: ignore[misc]
    """Gives lists of the reader's own records to consumers that ask for it."""

    next_fetch_offset: int

    def _unpack_records(self) -> Iterator[object]:
        if isinstance(self._key_deserializer, RawLists):
            return self._chunks()
        unpacked: Iterator[object] = super()._unpack_records()
        return unpacked

    def _chunks(self) -> Iterator[list[Record]]:
        """The records in lists; ``next_fetch_offset`` is behind the last one handed on."""
        chunk: list[Record] = []
        behind = self.next_fetch_offset
        for batch in self._data_batches():
            if batch is not None:
                records = list(batch)
                if records and records[0].offset < behind:
                    # A fetch from the middle of a batch gives all of it.
                    records = [r for r in records if r.offset >= behind]
                chunk += records
            # The batch's own end: what compaction took away behind its last record is passed over.
            behind = self._behind
            while len(chunk) >= (size := self._key_deserializer.records):
                given, chunk = chunk[:size], chunk[size:]
                self.next_fetch_offset = given[-1].offset + 1 if chunk else behind
                yield given
        self.next_fetch_offset = behind
        if chunk:
            yield chunk

    def _data_batches(self) -> Iterator[Any]:
        """The batches whose records are data; None for each that is passed over.

        As aiokafka's own reader: control batches and those of aborted transactions (read_committed)
        are passed over; ``_behind`` is the offset behind the batch.
        """
        while self._records.has_next():
            batch = self._records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                msg = f"Invalid CRC - {self._tp}"
                raise CorruptRecordException(msg)
            self._behind = batch.next_offset
            committed_only = self._isolation_level == fetcher.READ_COMMITTED
            if (
                committed_only and batch.producer_id is not None and self._is_aborted(batch)
            ) or batch.is_control_batch:
                yield None
            else:
                yield batch

    def _is_aborted(self, batch: Any) -> bool:  # noqa: ANN401 - aiokafka's
        """True where a batch is of a transaction that was aborted; keeps the list of those."""
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch and self._contains_abort_marker(batch):
            self._aborted_producers.discard(batch.producer_id)
        return bool(batch.is_transactional and batch.producer_id in self._aborted_producers)

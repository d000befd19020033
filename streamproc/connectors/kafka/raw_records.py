"""Records without a Python object each: what reaches into aiokafka, all in this file.

aiokafka makes a ``ConsumerRecord`` (twelve fields, 1 to 3 us) of every record that its Cython reader
has parsed. ``install`` puts a subclass of its ``PartitionRecords`` in place that hands the reader's own
record on, for consumers that ask for it with ``RAW`` as their key deserializer; all others in the
process are untouched. Where aiokafka is another than we know, nothing is put in place and consumers give
their usual records: both kinds have ``offset``, ``timestamp``, ``key``, ``value`` and ``headers``.
"""

from importlib.metadata import version
from typing import Any, Protocol

from aiokafka.consumer import fetcher

KNOWN_VERSIONS = ("0.14.",)


class Record(Protocol):
    """What both kinds of record have."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


def RAW(data: bytes | None) -> bytes | None:  # noqa: N802 - a marker that also works as what it marks
    """The key deserializer that asks for raw records; as a deserializer it changes nothing."""
    return data


def install() -> bool:
    """Put raw records in place, once; True where they are.

    Returns:
        False where aiokafka is of a version that this does not know.
    """
    known = version("aiokafka").startswith(KNOWN_VERSIONS)
    present = getattr(fetcher, "PartitionRecords", None)
    if not known or not hasattr(present, "_consumer_record"):
        return False
    if not getattr(present, "gives_raw", False):
        fetcher.PartitionRecords = _subclass(present)
    return True


def _subclass(base: Any) -> Any:  # noqa: ANN401 - aiokafka has no types for it
    class RawPartitionRecords(base):  # type: ignore[misc]
        """Gives the reader's own record to consumers that ask for it."""

        gives_raw = True

        def _consumer_record(self, tp: object, record: object) -> object:
            if self._key_deserializer is RAW:
                return record
            return super()._consumer_record(tp, record)

    return RawPartitionRecords

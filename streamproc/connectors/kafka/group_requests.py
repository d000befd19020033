"""Two requests of Kafka's protocol that aiokafka has only in versions before KIP-447.

Since version 3 TxnOffsetCommit says who commits (generation, member, instance), so that the group refuses one
that is out of it. Since version 7 OffsetFetch can ask for stable offsets: those of a transaction that is not
ended yet are waited for. Brokers know both since Kafka 2.5.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

_TEXT = CompactString("utf-8")
_TAGS: tuple[str, Any] = ("tags", TaggedFields)
_NO_TAGS: dict[int, bytes] = {}
_UNKNOWN_EPOCH = -1


class GroupMembership(NamedTuple):
    """Who somebody is in a consumer group, from one assignment to the next."""

    group_id: str
    generation: int
    member_id: str
    instance_id: str | None


class StoredOffset(NamedTuple):
    """An offset of a group and the text that is stored with it."""

    offset: int
    metadata: str


def _by_topic(
    partitions: Mapping[tuple[str, int], tuple[Any, ...]],
) -> list[tuple[str, list[tuple[Any, ...]], dict[int, bytes]]]:
    topics: dict[str, list[tuple[Any, ...]]] = {}
    for (topic, number), more in sorted(partitions.items()):
        topics.setdefault(topic, []).append((number, *more, _NO_TAGS))
    return [(topic, rows, _NO_TAGS) for topic, rows in topics.items()]


class TxnOffsetCommitResponseV3(Response):  # type: ignore[misc]
    """Version 3."""

    API_KEY = 28
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                (
                    "partitions",
                    CompactArray(("partition", Int32), ("error_code", Int16), _TAGS),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class TxnOffsetCommitStructV3(RequestStruct):  # type: ignore[misc]
    """Version 3."""

    API_KEY = 28
    API_VERSION = 3
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = TxnOffsetCommitResponseV3
    SCHEMA = Schema(
        ("transactional_id", _TEXT),
        ("group_id", _TEXT),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("generation_id", Int32),
        ("member_id", _TEXT),
        ("group_instance_id", _TEXT),
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", _TEXT),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class MemberOffsetCommit(Request[TxnOffsetCommitStructV3]):  # type: ignore[misc]
    """TxnOffsetCommit by a member of the group.

    Args:
        transactional_id: the producer's.
        producer: its id and epoch.
        member: who commits.
        offsets: by topic and partition.
    """

    API_KEY = 28

    def __init__(
        self,
        transactional_id: str,
        producer: tuple[int, int],
        member: GroupMembership,
        offsets: Mapping[tuple[str, int], StoredOffset],
    ) -> None:
        self._transactional_id = transactional_id
        self._producer = producer
        self._member = member
        self._offsets = offsets

    def build(self, request_struct_class: Any) -> Any:  # noqa: ANN401 - aiokafka has no types for it
        """The request on the wire."""
        member = self._member
        rows = {
            place: (stored.offset, _UNKNOWN_EPOCH, stored.metadata)
            for place, stored in self._offsets.items()
        }
        return request_struct_class(
            self._transactional_id,
            member.group_id,
            *self._producer,
            member.generation,
            member.member_id,
            member.instance_id,
            _by_topic(rows),
            _NO_TAGS,
        )


class OffsetFetchResponseV7(Response):  # type: ignore[misc]
    """Version 7."""

    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", _TEXT),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", _TEXT),
                        ("error_code", Int16),
                        _TAGS,
                    ),
                ),
                _TAGS,
            ),
        ),
        ("error_code", Int16),
        _TAGS,
    )


class OffsetFetchStructV7(RequestStruct):  # type: ignore[misc]
    """Version 7."""

    API_KEY = 9
    API_VERSION = 7
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = OffsetFetchResponseV7
    SCHEMA = Schema(
        ("group_id", _TEXT),
        (
            "topics",
            CompactArray(("topic", _TEXT), ("partitions", CompactArray(Int32)), _TAGS),
        ),
        ("require_stable", Boolean),
        _TAGS,
    )


class StableOffsetFetch(Request[OffsetFetchStructV7]):  # type: ignore[misc]
    """OffsetFetch that waits for the end of transactions.

    Args:
        group_id: the group.
        partitions: by topic and number.
    """

    API_KEY = 9

    def __init__(self, group_id: str, partitions: Sequence[tuple[str, int]]) -> None:
        self._group_id = group_id
        self._topics: dict[str, list[int]] = {}
        for topic, number in sorted(partitions):
            self._topics.setdefault(topic, []).append(number)

    def build(self, request_struct_class: Any) -> Any:  # noqa: ANN401 - aiokafka has no types for it
        """The request on the wire."""
        topics = [(topic, numbers, _NO_TAGS) for topic, numbers in self._topics.items()]
        return request_struct_class(self._group_id, topics, True, _NO_TAGS)  # noqa: FBT003

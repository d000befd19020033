"""A group's offsets inside of transactions (KIP-447): what reaches into aiokafka for it, all in this file.

aiokafka's ``send_offsets_to_transaction`` does not say which member of the group it is, so that the group cannot
refuse one that was put out of it. Here the same step of its sender says so, and offsets are fetched when they are
stable. The places that it reaches into are looked for when a producer is made: where aiokafka is another than we
know, that is said at the start, and nothing runs without the fence.
"""

import asyncio
import logging
from collections.abc import Collection, Mapping
from importlib.metadata import version
from typing import Any

from aiokafka import TopicPartition as KafkaPartition
from aiokafka import errors
from aiokafka.client import ConnectionGroup, CoordinationType

from streamproc.connectors.kafka.group_requests import (
    GroupMembership,
    MemberOffsetCommit,
    StableOffsetFetch,
    StoredOffset,
)
from streamproc.connectors.kafka.raw_records import KNOWN_VERSIONS
from streamproc.core import ConfigError, ExternalError, TopicPartition

log = logging.getLogger(__name__)

_NO_ERROR = 0
_FENCED_INSTANCE = 82
_UNSTABLE_OFFSETS = 88
_AGAIN_S = 0.05
_TRIES_MAX_S = 90.0
"""Longer than any transaction that is left open: brokers end them some seconds after their time-out."""
_ASK_AGAIN = (
    errors.GroupCoordinatorNotAvailableError.errno,
    errors.NotCoordinatorForGroupError.errno,
    errors.GroupLoadInProgressError.errno,
    errors.RequestTimedOutError.errno,
    errors.UnknownTopicOrPartitionError.errno,
)


class NotAMemberError(errors.KafkaError):  # type: ignore[misc]
    """The group has another generation by now: what was to be committed is another member's."""


class InstanceFencedError(errors.KafkaError):  # type: ignore[misc]
    """Another process has this one's ``group_instance_id``."""


def require_known_aiokafka() -> None:
    """See that aiokafka is one whose transactions we can extend.

    Raises:
        ConfigError: it is another.
    """
    found = version("aiokafka")
    if not found.startswith(KNOWN_VERSIONS):
        known = " or ".join(f"{v}x" for v in KNOWN_VERSIONS)
        msg = f"delivery: exactly_once needs aiokafka {known}, and {found} is installed"
        raise ConfigError(msg)


def hush(producer: Any) -> None:  # noqa: ANN401 - aiokafka has no types for it
    """Take notice of why a producer that is given up has failed, or asyncio complains that nobody did."""
    waiter = producer._txn_manager._transaction_waiter  # noqa: SLF001
    if waiter is not None and waiter.done() and not waiter.cancelled():
        waiter.exception()


def membership_of(consumer: Any, group_id: str) -> GroupMembership:  # noqa: ANN401 - aiokafka has no types
    """Who the consumer is in its group at this moment."""
    coordinator = consumer._coordinator  # noqa: SLF001
    return GroupMembership(
        group_id,
        coordinator.generation,
        coordinator.member_id,
        coordinator._group_instance_id,  # noqa: SLF001
    )


async def add_offsets(
    producer: Any,  # noqa: ANN401 - aiokafka has no types for it
    member: GroupMembership,
    offsets: Mapping[TopicPartition, StoredOffset],
) -> None:
    """Make a group's offsets a part of the producer's open transaction, in this member's name.

    Args:
        producer: with an open transaction.
        member: who commits.
        offsets: by partition; not none.

    Raises:
        NotAMemberError: the group has another generation by now.
        InstanceFencedError: another process has this one's name in the group.
        KafkaError: the broker refuses, or the transaction has failed.
    """
    sender, transaction = producer._sender, producer._txn_manager  # noqa: SLF001

    async def commit(_: object, __: object) -> None:
        await _commit_in_name(sender, transaction, member, offsets)

    # What aiokafka's sender does once the group was added to the transaction.
    sender._do_txn_offset_commit = commit  # noqa: SLF001
    await producer.send_offsets_to_transaction(
        {KafkaPartition(*source): stored.offset for source, stored in offsets.items()},
        member.group_id,
    )


async def _commit_in_name(
    sender: Any,  # noqa: ANN401 - aiokafka has no types for it
    transaction: Any,  # noqa: ANN401
    member: GroupMembership,
    offsets: Mapping[TopicPartition, StoredOffset],
) -> None:
    try:
        node = await sender._find_coordinator(CoordinationType.GROUP, member.group_id)  # noqa: SLF001
    except errors.GroupAuthorizationFailedError as error:
        transaction.error_transaction(error)
        return
    request = MemberOffsetCommit(
        transaction.transactional_id,
        (transaction.producer_id, transaction.producer_epoch),
        member,
        {(source.topic, source.partition): stored for source, stored in offsets.items()},
    )
    try:
        answer = await sender.client.send(node, request, group=ConnectionGroup.COORDINATION)
    except errors.KafkaError as error:
        log.warning("offsets of a transaction: %r, trying again", error)
        sender._coordinator_dead(CoordinationType.GROUP)  # noqa: SLF001
        await asyncio.sleep(_AGAIN_S)
        return  # the sender asks again as long as offsets wait
    failed = {code for _, rows, _ in answer.topics for _, code, _ in rows} - {_NO_ERROR}
    if not failed:
        for source, stored in offsets.items():
            transaction.offset_committed(KafkaPartition(*source), stored.offset, member.group_id)
        return
    code = failed.pop()
    if code in _ASK_AGAIN:
        sender._coordinator_dead(CoordinationType.GROUP)  # noqa: SLF001
        await asyncio.sleep(_AGAIN_S)
        return
    transaction.error_transaction(_named(code))


def _named(code: int) -> errors.KafkaError:
    if code == _FENCED_INSTANCE:
        return InstanceFencedError()
    if code in (
        errors.IllegalGenerationError.errno,
        errors.UnknownMemberIdError.errno,
        errors.RebalanceInProgressError.errno,
    ):
        return NotAMemberError(errors.for_code(code).message)
    if code in (errors.InvalidProducerEpoch.errno, errors.InvalidProducerIdMapping.errno):
        return errors.ProducerFenced()
    return errors.for_code(code)()


async def stable_offsets(
    consumer: Any,  # noqa: ANN401 - aiokafka has no types for it
    group_id: str,
    partitions: Collection[TopicPartition],
) -> dict[TopicPartition, StoredOffset]:
    """What a group has stored, when no transaction can change it any more; partitions without it are left out.

    Another member may have died, or hang, in the middle of a commit: its transaction is waited for, until the
    broker ends it.

    Raises:
        KafkaError: the broker refuses.
        ExternalError: a transaction did not end.
    """
    coordinator = consumer._coordinator  # noqa: SLF001
    wanted = [tuple(source) for source in partitions]
    told = False
    try:
        async with asyncio.timeout(_TRIES_MAX_S):
            while True:
                found = await _fetch(coordinator, group_id, wanted)
                if found is not None:
                    return found
                if not told:
                    told = True
                    log.info("positions of %s: waiting for a transaction to end", group_id)
                await asyncio.sleep(_AGAIN_S)
    except TimeoutError:
        msg = f"source.kafka: positions of {group_id} are held by a transaction that does not end"
        raise ExternalError(msg, retriable=True) from None


async def _fetch(
    coordinator: Any,  # noqa: ANN401 - aiokafka has no types for it
    group_id: str,
    wanted: list[Any],
) -> dict[TopicPartition, StoredOffset] | None:
    """One try; None where it is to be tried again."""
    try:
        answer = await coordinator._send_req(StableOffsetFetch(group_id, wanted))  # noqa: SLF001
    except errors.KafkaError as error:
        if not error.retriable:
            raise
        return None
    rows = [(topic, *row) for topic, rows, _ in answer.topics for row in rows]
    failed = {answer.error_code, *(code for *_, code, _ in rows)} - {_NO_ERROR}
    if failed - {_UNSTABLE_OFFSETS, *_ASK_AGAIN}:
        raise errors.for_code(failed.pop())(group_id)
    if failed:
        if errors.NotCoordinatorForGroupError.errno in failed:
            coordinator.coordinator_dead()
        return None
    return {
        TopicPartition(topic, number): StoredOffset(offset, metadata or "")
        for topic, number, offset, _, metadata, _, _ in rows
        if offset >= 0
    }

"""A Kafka source whose consumer can be made anew while the pipeline goes on."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping

from streamproc.connectors.kafka.connection import Access
from streamproc.connectors.kafka.group_requests import GroupMembership, StoredOffset
from streamproc.connectors.kafka.source import KafkaRecordSource
from streamproc.connectors.kafka.unread import Unread
from streamproc.core import (
    NOTHING_BEYOND,
    NS_PER_S,
    AssignmentListener,
    ExternalError,
    Int64Array,
    Jump,
    Recall,
    RecordBatch,
    TopicPartition,
)

log = logging.getLogger(__name__)

_LAST_COMMIT_S = 5.0


class RecoveringSource:
    """Stands between the pipeline and the source of the day.

    Args:
        make: makes a source that is not started.
        unread: asks the brokers what waits.
    """

    def __init__(self, make: Callable[[], KafkaRecordSource], unread: Unread) -> None:
        self._make = make
        self._unread = unread
        self._source = make()
        self._relay: _Relay | None = None
        self._changing = False
        self._paused = False
        self._skipped_before = 0
        self._renewed: tuple[Access, Mapping[str, object]] | None = None
        self.leaves_for_good = False
        """True to leave the group at the end though a static member: it will not come back within the session."""

    @property
    def rewind_ns(self) -> int:
        """See ``Rewinding``."""
        return self._source.rewind_ns

    @rewind_ns.setter
    def rewind_ns(self, rewind_ns: int) -> None:
        self._source.rewind_ns = rewind_ns

    @property
    def withheld(self) -> Collection[TopicPartition]:
        """See ``Selective``."""
        return self._source.withheld

    @withheld.setter
    def withheld(self, withheld: Collection[TopicPartition]) -> None:
        self._source.withheld = withheld

    @property
    def recall(self) -> Recall | None:
        """See ``Recalling``."""
        return self._source.recall

    @recall.setter
    def recall(self, recall: Recall | None) -> None:
        self._source.recall = recall

    @property
    def skipped_total(self) -> int:
        """Records that were gone before they could be read (retention)."""
        return self._skipped_before + self._source.skipped_total

    async def start(self, listener: AssignmentListener) -> None:
        """Connect and join the group; see ``Source``."""
        self._relay = _Relay(listener)
        await self._source.start(self._relay)

    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        """The next records; see ``Source``. None while the consumer is made anew."""
        if self._changing:
            await asyncio.sleep(timeout_ns / NS_PER_S)
            return []
        source = self._source
        try:
            batches = await source.poll(timeout_ns=timeout_ns, records_max=records_max)
        except Exception:
            if self._is_current(source):
                raise
            return []  # it was stopped while we were waiting
        # What the old one still gave is read again, from the committed position.
        return batches if self._is_current(source) else []

    def pause(self) -> None:
        """Fetch nothing more; see ``Source``. A consumer that is made anew keeps to it."""
        self._paused = True
        if not self._changing:
            self._source.pause()

    def resume(self) -> None:
        """Fetch again; see ``Source``."""
        self._paused = False
        if not self._changing:
            self._source.resume()

    async def positions(self) -> dict[TopicPartition, int]:
        """The positions behind the last records given; see ``Source``."""
        return {} if self._changing else await self._source.positions()

    def lag(self) -> dict[TopicPartition, int]:
        """Records still to be fetched, as the last fetch told; see ``Source``."""
        return {} if self._changing else self._source.lag()

    async def skip_to(self, source: TopicPartition, timestamp_ns: int) -> Jump | None:
        """Read on from the first record that is as young; see ``Source``."""
        return None if self._changing else await self._source.skip_to(source, timestamp_ns)

    async def commit(self, positions: Mapping[TopicPartition, int]) -> None:
        """Store positions of partitions that are still ours; see ``Source``."""
        if self._changing:
            msg = "source.kafka: positions not stored, the consumer is being made anew"
            raise ExternalError(msg, retriable=True)
        await self._source.commit(positions)

    @property
    def membership(self) -> GroupMembership | None:
        """Who we were in the group at the last assignment; see ``KafkaRecordSource``."""
        return self._source.membership

    async def rewind(self, partitions: Collection[TopicPartition]) -> None:
        """Read partitions again from what is stored; see ``TransactionalSource``."""
        await self._source.rewind(partitions)

    async def stored(
        self, partitions: Collection[TopicPartition]
    ) -> dict[TopicPartition, StoredOffset]:
        """What the group has stored; see ``KafkaRecordSource``."""
        return await self._source.stored(partitions)

    def exhausted(self) -> bool:
        """A topic has no end."""
        return False

    async def stop(self) -> None:
        """Leave the group; see ``Source``."""
        self._source.leaves_for_good = self.leaves_for_good
        await self._source.stop()

    def renew(self, access: Access, settings: Mapping[str, object]) -> None:
        """Show other credentials from the next connection on; see ``Renewable``."""
        self._renewed = (access, settings)
        self._unread.renew(access)
        self._source.renew(access, settings)

    async def unread(self) -> int | None:
        """Records that wait, asked by a client of its own; see ``Recoverable``."""
        positions = {} if self._changing else await self._source.positions()
        return await self._unread.ask(positions)

    async def rejoin(self) -> None:
        """Make the consumer anew; see ``Recoverable``."""
        old = self._relay
        if old is None:
            return
        self._source.require_membership()  # an identity that another process has is not taken back
        if not self._changing:
            self._changing = True
            await self._commit_last(await old.hand_over())
        await self._source.stop()
        self._skipped_before = self.skipped_total
        rewind_ns, recall = self.rewind_ns, self.recall
        self._source = self._make()
        if self._renewed is not None:
            self._source.renew(*self._renewed)
        self.rewind_ns, self.recall = rewind_ns, recall
        self._relay = _Relay(old.listener)
        await self._source.start(self._relay)
        self._changing = False
        if self._paused:
            self._source.pause()

    def _is_current(self, source: KafkaRecordSource) -> bool:
        return source is self._source and not self._changing

    async def _commit_last(self, positions: Mapping[TopicPartition, int]) -> None:
        try:
            async with asyncio.timeout(_LAST_COMMIT_S):
                await self._source.commit(positions)
        except (TimeoutError, ExternalError) as error:
            log.warning("source.kafka: the last positions are not stored: %r", error)


class _Relay:
    """Passes on what one consumer tells, until it is given up."""

    def __init__(self, listener: AssignmentListener) -> None:
        self.listener = listener
        self._owned: set[TopicPartition] = set()
        self._over = False

    def assigned(
        self,
        positions: Mapping[TopicPartition, int],
        beyond: Mapping[TopicPartition, Int64Array] = NOTHING_BEYOND,
    ) -> None:
        """See ``AssignmentListener``."""
        if not self._over:
            self._owned |= positions.keys()
            self.listener.assigned(positions, beyond)

    async def revoked(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """See ``AssignmentListener``."""
        if self._over:
            return {}
        self._owned -= set(partitions)
        return await self.listener.revoked(partitions)

    async def hand_over(self) -> Mapping[TopicPartition, int]:
        """Give up what it owns, and pass on nothing more: a consumer that is stopped does not tell."""
        owned = frozenset(self._owned)
        self._over = True
        self._owned.clear()
        return await self.listener.revoked(owned)

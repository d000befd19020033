"""Consumer groups of the broker in memory: who owns what, and what was committed."""

from collections.abc import Collection
from typing import Protocol

from streamproc.core import Int64Array, TopicPartition


class Member(Protocol):
    """What a group asks of its members."""

    @property
    def subscribed(self) -> Collection[TopicPartition]:
        """The partitions that it would read."""
        ...

    @property
    def owned(self) -> Collection[TopicPartition]:
        """The partitions that it reads."""
        ...

    async def revoke(self, partitions: Collection[TopicPartition]) -> None:
        """Give partitions up."""
        ...

    async def assign(self, partitions: Collection[TopicPartition]) -> None:
        """Take partitions over."""
        ...


class Group:
    """A consumer group with an eager assignor: at a change all is given up, then shared out anew.

    Args:
        name: its name.

    Attributes:
        committed: the stored positions.
        beyond: int64 [n], the offsets behind a position that a transaction stored as done, too.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.committed: dict[TopicPartition, int] = {}
        self.beyond: dict[TopicPartition, Int64Array] = {}
        self._members: list[Member] = []

    async def join(self, member: Member) -> None:
        """Let a member in, and share out anew."""
        await self._give_up_all()
        self._members.append(member)
        await self._share()

    async def leave(self, member: Member) -> None:
        """Let a member go; the others share what it had."""
        if member not in self._members:
            return
        self._members.remove(member)
        if self._members:
            await self._give_up_all()
            await self._share()

    async def _give_up_all(self) -> None:
        for member in self._members:
            if member.owned:
                await member.revoke(list(member.owned))

    async def _share(self) -> None:
        """Each partition, in order, to the next member that reads its topic."""
        shares: dict[int, list[TopicPartition]] = {i: [] for i in range(len(self._members))}
        wanted = sorted({source for member in self._members for source in member.subscribed})
        for turn, source in enumerate(wanted):
            readers = [i for i, m in enumerate(self._members) if source in m.subscribed]
            shares[readers[turn % len(readers)]].append(source)
        for number, partitions in shares.items():
            if partitions:
                await self._members[number].assign(partitions)

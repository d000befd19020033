"""The changelog is written before each commit, with what earlier commits cover: ``at_least_once``."""

from collections.abc import Collection, Mapping

from streamproc.core import Clock, Sink, TopicPartition
from streamproc.engine import Changelog, Engine
from streamproc.runtime.acknowledging import Acknowledging
from streamproc.runtime.driver import BeforeRelease


class ChangelogCommits:
    """Writes what may be written.

    That a partition's state begins at all must be with the broker before any position of it is stored; so it is waited for.

    Args:
        engine: knows how far its partitions are done.
        changelog: what is to be written.
        sink: writes.
        clock: the time.
        then: what else is waited for when partitions leave; None where nothing is.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        changelog: Changelog,
        sink: Sink,
        clock: Clock,
        then: BeforeRelease | None,
    ) -> None:
        self._engine = engine
        self._changelog = changelog
        self._sent = Acknowledging(sink)
        self._clock = clock
        self._then = then

    async def publish(self) -> None:
        """Write, and wait until the broker has it, and what was written before.

        Raises:
            ExternalError: it never will.
        """
        self._changelog.go_on(self._clock.now_ns())
        await self._sent.send(self._changelog.records())

    async def release(self, partitions: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The positions to commit of partitions that are about to leave, with what that needs written."""
        await self.publish()
        if self._then is not None:
            return await self._then(partitions)
        moved = self._engine.positions_to_commit()
        return {source: at for source, at in moved.items() if source in set(partitions)}

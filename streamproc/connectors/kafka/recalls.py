"""Partitions that wait for what was remembered of them before they are read."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any

from streamproc.core import Recall, TopicPartition


class Recalls:
    """Brings back beside the group's callbacks: a member that stays in them is put out of its group.

    Args:
        failed: is told why something cannot be brought back.
    """

    def __init__(self, failed: Callable[[Exception], None]) -> None:
        self._failed = failed
        self._tasks: dict[asyncio.Task[None], frozenset[TopicPartition]] = {}

    @property
    def waiting(self) -> frozenset[TopicPartition]:
        """The partitions that wait."""
        return frozenset().union(*self._tasks.values())

    def start(
        self,
        recall: Recall,
        positions: Mapping[TopicPartition, int],
        begin: Callable[[Mapping[TopicPartition, int]], Coroutine[Any, Any, None]],
    ) -> None:
        """Bring back what was remembered of partitions, then begin with them.

        Args:
            recall: brings back.
            positions: where they are to be decided from.
            begin: is given where reading begins.
        """

        async def bring() -> None:
            try:
                await begin(await recall(positions))
            except Exception as error:  # noqa: BLE001 - whatever it is, the next poll raises it
                self._failed(error)

        task = asyncio.get_running_loop().create_task(bring())
        self._tasks[task] = frozenset(positions)
        task.add_done_callback(self._ended)

    async def stop(self, partitions: Collection[TopicPartition] | None = None) -> None:
        """Wait no longer for these; None for all."""
        gone = [
            task
            for task, waiting in self._tasks.items()
            if partitions is None or waiting & set(partitions)
        ]
        for task in gone:
            task.cancel()
        await asyncio.gather(*gone, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)

"""The queue: events that wait, as sorted columns."""

import numpy as np

from streamproc.core import BoolArray, Int64Array

_NONE: Int64Array = np.empty(0, np.int64)


class DeadlineQueue:
    """Events in the order in which they are to be served: earliest deadline first.

    Where order is to be kept, an event takes over the earliest deadline of those behind it in its
    partition (``order_ns``), so that it is never overtaken; its own deadline stays what it was. That is
    priority inheritance (Sha, Rajkumar, Lehoczky 1990) for order instead of locks. It keeps more than the
    order of a key asks for, and costs nothing where deadlines do not go back within a partition.

    Args:
        keep_order: whether events of a partition leave in the order of their numbers.
    """

    __slots__ = ("_deadline_ns", "_keep_order", "_newest_ns", "_number", "_order_ns", "_partition")

    def __init__(self, *, keep_order: bool) -> None:
        self._keep_order = keep_order
        self._number = self._deadline_ns = self._order_ns = self._partition = _NONE
        self._newest_ns: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._number)

    @property
    def deadline_ns(self) -> Int64Array:
        """int64 [n], the events' own deadlines in order of service."""
        return self._deadline_ns

    @property
    def ascending(self) -> bool:
        """True where ``deadline_ns`` never goes down: no event had to take over another's deadline."""
        return self._deadline_ns is self._order_ns

    def push(self, number: Int64Array, deadline_ns: Int64Array, partition: int) -> None:
        """Add events of one partition.

        Args:
            number: int64 [n], ascending, higher than all before.
            deadline_ns: int64 [n].
            partition: whose events they are.
        """
        if not len(number):
            return
        order_ns, inherits = deadline_ns, False
        if self._keep_order:
            order_ns = np.minimum.accumulate(deadline_ns[::-1])[::-1]
            newest_ns = self._newest_ns.get(partition)
            inherits = newest_ns is not None and int(order_ns[0]) < newest_ns
            inherits = inherits or bool((order_ns != deadline_ns).any())
            latest_ns = int(deadline_ns.max())
            self._newest_ns[partition] = (
                latest_ns if newest_ns is None else max(latest_ns, newest_ns)
            )
        at_end = not len(self) or int(order_ns.min()) >= int(self._order_ns[-1])
        plain = self.ascending and not inherits
        if inherits:
            before = self._partition == partition
            self._order_ns = np.where(
                before, np.minimum(self._order_ns, order_ns[0]), self._order_ns
            )
        self._number = np.concatenate((self._number, number))
        self._partition = np.concatenate((self._partition, np.full(len(number), partition)))
        self._order_ns = np.concatenate((self._order_ns, order_ns))
        self._deadline_ns = (
            self._order_ns if plain else np.concatenate((self._deadline_ns, deadline_ns))
        )
        if not at_end or inherits or not _ascends(order_ns):
            self._keep(np.lexsort((self._number, self._order_ns)))

    def pop(self, count: int) -> Int64Array:
        """Take the first events; gives their numbers (int64 [count]) in order of service."""
        taken = self._number[:count]
        self._keep(slice(count, None, None))
        return taken

    def remove(self, mask: BoolArray) -> Int64Array:
        """Take the events marked (bool [n], in order of service); gives their numbers."""
        taken = self._number[mask]
        self._keep(np.flatnonzero(~mask))
        return taken

    def withdraw(self, partition: int) -> Int64Array:
        """Take all events of a partition; gives their numbers."""
        self._newest_ns.pop(partition, None)
        return self.remove(self._partition == partition)

    def _keep(self, rows: "slice[int, None, None] | Int64Array") -> None:
        plain = self.ascending
        self._number = self._number[rows]
        self._partition = self._partition[rows]
        self._order_ns = self._order_ns[rows]
        self._deadline_ns = self._order_ns if plain else self._deadline_ns[rows]
        if not len(self._number):
            self._deadline_ns = self._order_ns
            self._newest_ns.clear()


def _ascends(values: Int64Array) -> bool:
    return bool((values[1:] >= values[:-1]).all())

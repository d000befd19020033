"""How far each partition was read, in time rather than in offsets."""

from collections.abc import Collection, Mapping

from streamproc.core import RecordBatch, TopicPartition


class ReadSoFar:
    """Remembers the last times of each partition; one look at a batch's last row, whatever its size.

    Attributes:
        event_time_ns: the latest event time that was decoded, by partition.
    """

    def __init__(self) -> None:
        self._timestamp_ns: dict[TopicPartition, int] = {}
        self.event_time_ns: dict[TopicPartition, int] = {}

    def fetched(self, batch: RecordBatch) -> None:
        """Records were fetched, at least one."""
        timestamp_ns = int(batch.timestamp_ns[-1])
        if timestamp_ns >= 0:  # else it has none
            self._timestamp_ns[batch.source] = timestamp_ns + batch.shift_ns

    def decoded(self, source: TopicPartition, event_time_ns: int) -> None:
        """Events were decoded, the last of which happened then."""
        if event_time_ns > self.event_time_ns.get(source, 0):
            self.event_time_ns[source] = event_time_ns

    def released(self, sources: Collection[TopicPartition]) -> None:
        """These partitions are others' now."""
        for source in sources:
            self._timestamp_ns.pop(source, None)
            self.event_time_ns.pop(source, None)

    def lag_ns(self, records: Mapping[TopicPartition, int], now_ns: int) -> int | None:
        """How far behind the partition is that is most: the age of its newest record that was fetched.

        What is still to be fetched is no older than that, where timestamps ascend.

        Args:
            records: how many are still to be fetched, by partition.
            now_ns: the present instant.

        Returns:
            0 where nothing is to be fetched; None where no partition tells.
        """
        ages_ns = [
            max(0, now_ns - self._timestamp_ns[source]) if behind else 0
            for source, behind in records.items()
            if not behind or source in self._timestamp_ns
        ]
        return max(ages_ns, default=None)

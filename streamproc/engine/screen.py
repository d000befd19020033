"""What need not be decoded: records that are too old whatever they hold, and those with a newer one behind."""

from dataclasses import dataclass

import numpy as np

from streamproc.core import BoolArray, Int64Array, Reason, RecordBatch, light
from streamproc.engine.event_times import EventTimes, Times
from streamproc.engine.offering import key_hashes
from streamproc.engine.partitions import Partition
from streamproc.scheduling import Scheduler


@light
@dataclass(frozen=True, slots=True)
class Screened:
    """What was found of a batch before it was decoded.

    Attributes:
        rows: bool [n], the records that are to be decoded; None for all.
        shed: the others, by reason, each int64 [k], ascending.
    """

    rows: BoolArray | None
    shed: tuple[tuple[Reason, Int64Array], ...] = ()


_ALL = Screened(None)


class Screen:
    """Looks at records' metadata.

    Args:
        times: the records' times and deadlines.
        scheduler: knows what is hopeless.
        decodes_all: whether none is left undecoded: a record may hold several events, and nobody would know how many
            they were; or something is remembered of every event.
        conflates: whether a newer record of a key makes an older one needless: the policy is on, and an event's
            key is its record's.
    """

    def __init__(
        self, *, times: EventTimes, scheduler: Scheduler, decodes_all: bool, conflates: bool
    ) -> None:
        self._times = times
        self._scheduler = scheduler
        self._decodes_all = decodes_all
        self._conflates = conflates and not decodes_all

    def look(
        self, partition: Partition, batch: RecordBatch, times: Times | None, now_ns: int
    ) -> Screened:
        """Find what need not be decoded.

        Args:
            partition: whose records they are.
            batch: the records.
            times: what ``EventTimes.of_records`` gave for them.
            now_ns: the present instant.
        """
        latest_ns = self._times.latest_deadline_ns(batch, times)
        hopeless = None
        if latest_ns is not None:
            found = self._scheduler.hopeless(latest_ns, now_ns)
            if found.any():
                hopeless = found
                if times is not None and found.all():
                    self._tell_backlog(partition, batch, times, now_ns)
        if self._decodes_all:
            return _ALL
        newer = self._superseded(batch, hopeless)
        if hopeless is None and newer is None:
            return _ALL
        rows = np.ones(len(batch), np.bool_)
        shed: list[tuple[Reason, Int64Array]] = []
        for reason, gone in ((Reason.EXPIRED, hopeless), (Reason.CONFLATE, newer)):
            if gone is not None:
                rows &= ~gone
                shed.append((reason, np.flatnonzero(gone)))
        self._scheduler.offered(sum(len(record) for _, record in shed), now_ns)
        return Screened(rows, tuple(shed))

    def _superseded(self, batch: RecordBatch, hopeless: BoolArray | None) -> BoolArray | None:
        """Which of the records that are not hopeless have a newer one of their key behind them."""
        if not self._conflates:
            return None
        found = self._scheduler.superseded(key_hashes(batch.key, batch.offset))
        if hopeless is not None:
            found = found & ~hopeless
        return found if found.any() else None

    def _tell_backlog(
        self, partition: Partition, batch: RecordBatch, times: Times, now_ns: int
    ) -> None:
        """All of the batch is too old: what follows may be so too."""
        if partition.skipping:
            return
        newest = int(times.event_time_ns.argmax())
        newest_ns = int(times.event_time_ns[newest])
        # The log is searched by its producers' clock, which may be off ours.
        partition.timestamp_off_ns = int(batch.timestamp_ns[newest]) - newest_ns
        self._scheduler.backlog(
            partition.index, behind=batch.behind, newest_ns=newest_ns, now_ns=now_ns
        )

"""Skip ahead: after an outage, a backlog that is too old is jumped over, not fetched."""

from streamproc.scheduling.policies.options import SkipAhead


class Skipper:
    """Says from which timestamp on a partition is worth reading.

    Args:
        options: how long a backlog must be.
        budget_ns: the longest that any decision may take.
    """

    _AGAIN_NS = 1_000_000_000
    """Between two jumps of a partition: the first fetch behind a jump must have had its chance."""

    def __init__(self, options: SkipAhead, budget_ns: int) -> None:
        self._min_records = options.min_records
        self._budget_ns = budget_ns
        self._last_ns: dict[int, int] = {}

    def target_ns(
        self, partition: int, *, behind: int, newest_ns: int, soonest_ns: int, now_ns: int
    ) -> int | None:
        """The oldest timestamp that can still be in time; None where reading on is right.

        Args:
            partition: which one.
            behind: records that are still to be fetched of it.
            newest_ns: the newest timestamp of the last fetch, all of which was too old.
            soonest_ns: how long the quickest answer takes.
            now_ns: the present instant.
        """
        target_ns = now_ns + soonest_ns - self._budget_ns
        last_ns = self._last_ns.get(partition)
        if behind < self._min_records or newest_ns >= target_ns:
            return None
        if last_ns is not None and now_ns - last_ns < self._AGAIN_NS:
            return None
        self._last_ns[partition] = now_ns
        return target_ns

"""AIMD: the size of a batch by additive increase and multiplicative decrease (Clipper, NSDI 2017)."""

from streamproc.scheduling.planners.plan import EVERYTHING_NS, Plan, View

_STEP = 1
_BACKOFF = 0.9
"""Clipper backs off by a small factor, 10%: the best size changes little while a service runs."""


class Aimd:
    """Takes all that waits, up to a size that grows while batches are in time and shrinks when one is not.

    It does not look at the latency model, so it serves a model whose times nobody can predict.
    """

    def __init__(self) -> None:
        self._size = 1.0

    def plan(self, view: View) -> Plan:
        """See ``Planner``."""
        size_max = len(view.run_ns)
        self._size = min(self._size, float(size_max))
        limit = max(1, int(self._size))
        waiting = len(view.deadline_ns) - view.first
        if not waiting:
            return Plan(0)
        reach_ns = view.soonest_ns if view.may_expire else EVERYTHING_NS
        cost_max = None if view.cost is None else float(limit)
        return Plan(
            min(limit, waiting), reach_ns, "idle" if waiting <= limit else "full", cost_max=cost_max
        )

    def completed(self, count: int, *, in_time: bool) -> None:
        """See ``Planner``: a batch of the whole size that was in time lets it grow."""
        if not in_time:
            self._size = max(1.0, self._size * _BACKOFF)
        elif count >= int(self._size):
            self._size += _STEP

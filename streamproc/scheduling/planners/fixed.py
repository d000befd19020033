"""Fixed: a largest size and a longest delay, as in Triton's dynamic batcher. Deadlines play no part."""

from streamproc.scheduling.planners.plan import EVERYTHING_NS, Plan, View


class Fixed:
    """Waits for a full batch, or until the oldest event has waited long enough.

    Args:
        delay_ns: how long an event may wait for others.
    """

    def __init__(self, delay_ns: int) -> None:
        self._delay_ns = delay_ns

    def plan(self, view: View) -> Plan:
        """See ``Planner``."""
        size_max = len(view.run_ns)
        first = view.first
        waiting = len(view.deadline_ns) - first
        if not waiting:
            return Plan(0)
        reach_ns = view.soonest_ns if view.may_expire else EVERYTHING_NS
        cost_max = None if view.cost is None else float(size_max)
        full = waiting if view.cost is None else float(view.cost[first:].sum())
        if full >= size_max:
            return Plan(size_max, reach_ns, "full", cost_max=cost_max)
        due_ns = int(view.since_ns.min()) + self._delay_ns
        if view.now_ns >= due_ns or view.draining:
            return Plan(waiting, reach_ns, "deadline", cost_max=cost_max)
        return Plan(0, wait_until_ns=due_ns)

    def completed(self, count: int, *, in_time: bool) -> None:
        """See ``Planner``; learns nothing."""

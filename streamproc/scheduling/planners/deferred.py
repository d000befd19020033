"""Deferred: wait to the last moment at which the first event can still be in time (Symphony, OSDI 2023)."""

from streamproc.scheduling.planners.plan import Plan, View, from_first


class Deferred:
    """Begins at the first event that can be in time, when the batch is full or its deadline allows no more.

    The longest batches and the latest answers that deadlines allow: for executors shared with others.
    """

    def plan(self, view: View) -> Plan:
        """See ``Planner``."""
        plan = from_first(view, len(view.run_ns))
        if not plan.count or plan.bound != "idle" or view.draining:
            return plan
        head_ns = int(view.deadline_ns[view.first])
        # One more event must still fit when it comes, or this batch would be late for it.
        size = min(plan.count + 1, len(view.run_ns))
        last_start_ns = head_ns - view.send_ns - int(view.run_ns[size - 1])
        if view.now_ns >= last_start_ns:
            return plan
        return Plan(0, wait_until_ns=last_start_ns)

    def completed(self, count: int, *, in_time: bool) -> None:
        """See ``Planner``; learns nothing."""

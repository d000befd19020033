"""Work conserving: never wait while an executor is free, serve the most urgent first."""

from streamproc.scheduling.planners.plan import Plan, View, from_first


class WorkConserving:
    """Begins at the first event that can be in time, with as many as its deadline allows.

    Under overload it spends the executor on small batches for events that are nearly late: measured, it falls to
    a quarter of what ``early_drop`` answers in time.
    """

    def plan(self, view: View) -> Plan:
        """See ``Planner``."""
        return from_first(view, len(view.run_ns))

    def completed(self, count: int, *, in_time: bool) -> None:
        """See ``Planner``; learns nothing."""

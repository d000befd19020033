"""Expired: too late for any answer."""

from streamproc.core import BoolArray, Int64Array


def expired(deadline_ns: Int64Array, *, now_ns: int, soonest_ns: int) -> BoolArray:
    """Mark the events that cannot be answered before their deadline, whatever is done.

    Args:
        deadline_ns: int64 [n], in any order.
        now_ns: the present instant.
        soonest_ns: the time of the quickest answer: a batch of one, and its sending.

    Returns:
        bool [n], True where the event is to be shed.
    """
    return deadline_ns < now_ns + soonest_ns

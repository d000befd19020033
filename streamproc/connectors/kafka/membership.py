"""A static member that leaves its group: what reaches into aiokafka's coordinator, all in this file.

aiokafka lets a static member end without a word, as the Java client does (KIP-345): it may come back, and until
the session is over nobody reads its partitions. One that will not come back should say so. The request by
which it does (LeaveGroup, version 1) names the member id alone, and brokers take it from static members too.
"""

from typing import Any


def forget_instance(consumer: Any) -> None:  # noqa: ANN401 - aiokafka has no types for it
    """Let a consumer leave the group when it stops, as one without ``group_instance_id`` does.

    Where aiokafka is another than we know, nothing changes: the group then waits for the session's end.
    """
    coordinator: Any = getattr(consumer, "_coordinator", None)
    if hasattr(coordinator, "_group_instance_id"):
        coordinator._group_instance_id = None  # noqa: SLF001

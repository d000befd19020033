"""The name by which brokers know a worker's transactions."""

import socket
from contextlib import ExitStack
from types import TracebackType

from streamproc.runtime.slots import Slots


class TransactionalId:
    """Gives the ``transactional.id`` for as long as it is entered.

    It is the same after a restart, so that what the last life left open is aborted at once, and no other process
    has it at a time. A static member's id is both already; else it is the host's name and a number that nobody
    else on the machine has.

    Args:
        group: the consumer group.
        instance: the member's ``group_instance_id``.
    """

    def __init__(self, group: str, instance: str | None) -> None:
        self._group = group
        self._instance = instance
        self._held = ExitStack()

    def __enter__(self) -> str:
        instance = self._instance
        if instance is None:
            slots = self._held.enter_context(Slots(f"{self._group}/transactions", 1))
            instance = f"{socket.gethostname()}-{slots.numbers[0]}"
        return f"{self._group}/{instance}"

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._held.close()

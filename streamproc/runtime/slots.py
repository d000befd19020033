"""Numbers for workers that no other process on this machine has in the same group."""

import errno
import hashlib
import socket
from types import TracebackType
from typing import Self


class Slots:
    """Takes the lowest free numbers for as long as it is entered; they are free again when the process dies.

    A static member's id must be the same after a restart, and never be used twice at a time: Kafka would put
    the first one out. So a number is a bound name of Linux' abstract sockets: it ends with its process, leaves
    no file behind, and is seen by all that share the network, and with it the host's name, whatever their ``/tmp``.

    Args:
        group: what the numbers are for.
        count: how many.

    Attributes:
        numbers: those that it has.
    """

    def __init__(self, group: str, count: int) -> None:
        self._name = f"\0streamproc/{hashlib.sha256(group.encode()).hexdigest()[:16]}"
        self._count = count
        self._held: list[socket.socket] = []
        self.numbers: list[int] = []

    def __enter__(self) -> Self:
        number = 0
        while len(self._held) < self._count:
            lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                lock.bind(f"{self._name}/{number}")
            except OSError as error:
                lock.close()
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                self._held.append(lock)
                self.numbers.append(number)
            number += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for lock in self._held:
            lock.close()

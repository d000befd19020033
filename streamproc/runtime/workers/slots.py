"""Numbers for workers that no other process on this machine has in the same group."""

import fcntl
import hashlib
import os
import socket
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self


class Slots:
    """Takes numbers for as long as it is entered; a process that dies gives its numbers back.

    A member id must be the same after a restart, and never be used twice at a time: Kafka would put the
    first one out. So each number is a locked file.

    Args:
        group: what the numbers are for.
        count: how many.

    Attributes:
        names: one for each, such as ``host-0``.
    """

    def __init__(self, group: str, count: int) -> None:
        digest = hashlib.sha256(group.encode()).hexdigest()[:16]
        self._prefix = Path(tempfile.gettempdir()) / f"streamproc-{os.getuid()}-{digest}"
        self._count = count
        self._held: list[IO[str]] = []
        self.names: list[str] = []

    def __enter__(self) -> Self:
        number = 0
        while len(self._held) < self._count:
            file = Path(f"{self._prefix}-{number}.lock").open("w", encoding="utf-8")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
            else:
                self._held.append(file)
                self.names.append(f"{socket.gethostname()}-{number}")
            number += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._held:
            file.close()

"""A small disk that can be filled: a file system in memory where we may mount one, else a limit on a process's files."""

from __future__ import annotations

import resource
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE_BYTES = 64 << 20
_STEP_BYTES = 1 << 20


class Disk(Protocol):
    """Where a process writes that shall meet a full disk."""

    def fill(self, pid: int) -> None:
        """Let no byte more be written by that process."""

    def mend(self, pid: int) -> None:
        """Let there be room again."""


class SmallDisk:
    """A file system of its own, filled by a file that lies in it.

    Args:
        folder: where it is mounted.
    """

    says = "a tmpfs without room"

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    def fill(self, pid: int) -> None:
        step = bytes(_STEP_BYTES)
        try:
            with self._ballast.open("wb", buffering=0) as file:
                while file.write(step):
                    pass
        except OSError:  # no room is left: that is what is wanted
            return

    def mend(self, pid: int) -> None:
        self._ballast.unlink()


class LimitedFiles:
    """No file of the process may grow: a write is refused as one on a full disk is, by another number."""

    says = "a limit on the length of files"

    def fill(self, pid: int) -> None:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))

    def mend(self, pid: int) -> None:
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk | LimitedFiles]:
    """A disk at this empty folder, for as long as the block lasts."""
    size = f"size={SIZE_BYTES}"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:  # not root, or in a container that may not
        yield LimitedFiles()
        return
    try:
        yield SmallDisk(folder)
    finally:
        # Lazily: a process that still has a file open there is ended a little later.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)

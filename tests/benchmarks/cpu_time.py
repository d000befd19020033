"""CPU seconds of a program and all its processes, measured from outside. Linux only."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def used_s(pid: int) -> float:
    """User and system time of a process, its living descendants, and those it waited for; in steps of 10 ms."""
    ticks, left = 0, [pid]
    while left:
        folder = Path(f"/proc/{left.pop()}")
        try:
            # The name in parentheses may hold anything; behind it: state is field 3, utime to cstime 14 to 17.
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))
            for thread in (folder / "task").iterdir():
                left += map(int, (thread / "children").read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile: its parent has its time, once waited for
    return ticks / _TICKS_PER_S


def own_s(pid: int) -> float:
    """User and system time of one process, all its threads, without those that it started; in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / _TICKS_PER_S


class Meter:
    """CPU time of a program from now on.

    Args:
        pid: its first process.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._used_s, self._own_s = used_s(pid), own_s(pid)

    def used_s(self) -> float:
        """Of all its processes."""
        return used_s(self._pid) - self._used_s

    def own_s(self) -> float:
        """Of its first process alone."""
        return own_s(self._pid) - self._own_s


def has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether a program is over, its resource usage still to be collected by ``collect``."""
    flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
    return os.waitid(os.P_PID, process.pid, flags) is not None


def collect(process: subprocess.Popen[bytes]) -> float:
    """Wait for a program's end; gives back the CPU seconds of its life and of all that it waited for, from the kernel."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime

"""Keeps the machine's threads busy, so that CPU times can be compared.

Where two threads share a core, the same work takes more CPU time beside a busy neighbour, and a program that waits more than
another has other neighbours, too. With a loop of idle priority on each thread the neighbour is always busy, and whoever else
wants the thread gets it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPIN = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def neighbours() -> Iterator[list[int]]:
    """No thread of the machine is idle in the block (Linux); gives the loops' processes."""
    pids = []
    with ExitStack() as stack:
        for cpu in sorted(os.sched_getaffinity(0)):
            process = subprocess.Popen([sys.executable, "-c", _SPIN, str(cpu)])
            stack.callback(process.wait)
            stack.callback(process.kill)
            pids.append(process.pid)
        yield pids

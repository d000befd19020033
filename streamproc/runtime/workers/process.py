"""One life of a worker: its process, and the channel to it."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Self, cast

from streamproc.runtime.workers.channel import Channel
from streamproc.runtime.workers.messages import Job, Order, Report

_LAST_WORDS_S = 2.0
"""How long a channel may stay open behind a dead process: a child of the user's code may still hold it."""
_EXIT_S = 5.0
"""How long a process may live behind its closed channel: a thread that never ends may hold it up."""
_PROGRAM = """\
import sys
sys.path[:] = {path!r}
from streamproc.runtime.workers.worker import main
main(channel={channel}, parent={parent})
"""
# Not multiprocessing: it would import the user's main program once more in each worker.


class WorkerProcess:
    """A process that runs a job; belongs to the event loop.

    Args:
        process: started.
        channel: to it.

    Attributes:
        pid: its number.
    """

    def __init__(self, process: subprocess.Popen[bytes], channel: Channel) -> None:
        self.pid = process.pid
        self._process = process
        self._channel = channel
        self._dead = asyncio.Event()
        self._pidfd = os.pidfd_open(process.pid)
        asyncio.get_running_loop().add_reader(self._pidfd, self._died)

    @classmethod
    async def start(cls, job: Job) -> Self:
        """Start one.

        Raises:
            OSError: the machine has no room for it.
        """
        ours, theirs = socket.socketpair()
        channel = await Channel.open(ours)
        handle = theirs.fileno()
        program = _PROGRAM.format(path=sys.path, channel=handle, parent=os.getpid())
        try:
            with theirs, _signals_held():
                process = subprocess.Popen(  # noqa: ASYNC220, S603 - 1 ms, and it keeps the signal mask
                    [sys.executable, "-c", program], stdin=subprocess.DEVNULL, pass_fds=[handle]
                )
        except OSError:
            await channel.close()
            raise
        channel.tell(job)
        return cls(process, channel)

    def tell(self, order: Order) -> None:
        """Send it an order; one that is gone does not hear it."""
        self._channel.tell(order)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    async def live(self, hear: Callable[[Report], None]) -> str:
        """Hand on what it reports until it is dead; gives how it ended, in words. Cancelled, it is killed."""
        hearing = asyncio.create_task(self._hear(hear))
        dead = asyncio.create_task(self._dead.wait())
        try:
            await asyncio.wait({hearing, dead}, return_when=asyncio.FIRST_COMPLETED)
            if hearing.done():
                await asyncio.wait({dead}, timeout=_EXIT_S)
            else:
                await asyncio.wait({hearing}, timeout=_LAST_WORDS_S)
        finally:
            self.kill()  # without effect on one that has ended
            for task in (hearing, dead):
                task.cancel()
            await asyncio.gather(hearing, dead, return_exceptions=True)
            asyncio.get_running_loop().remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._process.wait()
            await self._channel.close()
        return self._end_in_words()

    async def _hear(self, hear: Callable[[Report], None]) -> None:
        async for report in self._channel.messages():
            hear(cast("Report", report))

    def _died(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        self._dead.set()

    def _end_in_words(self) -> str:
        code = self._process.returncode
        if code < 0:
            return f"(pid {self.pid}) was killed by {signal.Signals(-code).name}"
        return f"(pid {self.pid}) ended with exit code {code}"


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """A process started inside gets a group's Ctrl-C or SIGTERM only once it has said what it does with them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

"""SIGINT and SIGTERM: the first asks for the end, the second is the end. SIGHUP: a reload."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine

from streamproc.core import StreamprocError

_SIGNALLED = 128
"""A shell's exit code of a process that a signal ended is this and the signal's number."""


class Signals:
    """Takes the signals of the running event loop.

    Args:
        ask: asks for the end.
        kill: ends at once what would outlive this process.
        reload: goes on with the configuration and the model as they are now; says itself how that went.
    """

    def __init__(
        self,
        ask: Callable[[], None],
        kill: Callable[[], None] | None = None,
        reload: Callable[[], Coroutine[object, object, object]] | None = None,
    ) -> None:
        self._ask = ask
        self._kill = kill
        self._reload = reload
        self._reloading: set[asyncio.Task[object]] = set()
        self.asked = False

    def install(self) -> None:
        """Take the signals from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._came, number)
        if self._reload is not None:
            loop.add_signal_handler(signal.SIGHUP, self._hung_up, self._reload)

    def _hung_up(self, reload: Callable[[], Coroutine[object, object, object]]) -> None:
        task = asyncio.get_running_loop().create_task(reload())
        self._reloading.add(task)
        task.add_done_callback(self._reloaded)

    def _reloaded(self, task: "asyncio.Task[object]") -> None:
        self._reloading.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, StreamprocError):  # those are in the log
            print(f"streamproc: SIGHUP: not reloaded: {error!r}", file=sys.stderr)

    def _came(self, number: int) -> None:
        name = signal.Signals(number).name
        if self.asked:
            print(f"streamproc: {name} again: ended at once", file=sys.stderr, flush=True)
            sys.stdout.flush()
            if self._kill is not None:
                self._kill()
            os._exit(_SIGNALLED + number)
        self.asked = True
        print(
            f"streamproc: {name}: finishing what was taken in; again to end at once",
            file=sys.stderr,
            flush=True,
        )
        self._ask()

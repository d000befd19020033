"""SIGINT and SIGTERM: the first asks for the end, the second is the end."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

_SIGNALLED = 128
"""A shell's exit code of a process that a signal ended is this and the signal's number."""


class Signals:
    """Takes the signals of the running event loop.

    Args:
        ask: asks for the end.
        kill: ends at once what would outlive this process.
    """

    def __init__(self, ask: Callable[[], None], kill: Callable[[], None] | None = None) -> None:
        self._ask = ask
        self._kill = kill
        self.asked = False

    def install(self) -> None:
        """Take the signals from now on."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._came, number)

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

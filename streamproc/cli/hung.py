"""Ending a process that cannot end itself: its event loop stands still, or a thread of a model never comes back."""

import os
import sys
import threading

from streamproc.cli.failures import FAILED

_THREAD_END_S = 2.0
_EXECUTOR_THREADS = "streamproc-executor"


def end_hung(why: str) -> None:
    """End at once, with a line and the exit code of a failure, for a supervisor to start another.

    Nothing is finished or committed: what was taken in is decided again by whoever reads it next.
    """
    print(f"streamproc: {why}: ended at once", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(FAILED)


def leave(code: int) -> None:
    """Exit, though a thread may be in a model that never answers: the interpreter would wait for it for ever."""
    for thread in threading.enumerate():
        if thread.name.startswith(_EXECUTOR_THREADS):
            thread.join(_THREAD_END_S)
            if thread.is_alive():
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
    sys.exit(code)

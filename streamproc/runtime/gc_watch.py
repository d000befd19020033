"""How long the garbage collector holds everything up."""

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from streamproc.core import Clock


@contextlib.contextmanager
def gc_pauses(clock: Clock, paused: Callable[[int], None]) -> Iterator[None]:
    """Tell how long each collection takes, our own and those that the interpreter begins.

    Args:
        clock: to measure with.
        paused: is told the length of each (ns), in whatever thread it was.
    """
    started_ns = 0

    def look(phase: str, info: Mapping[str, Any]) -> None:  # noqa: ARG001 - as gc calls it
        nonlocal started_ns
        if phase == "start":
            started_ns = clock.now_ns()
        else:
            paused(clock.now_ns() - started_ns)

    gc.callbacks.append(look)
    try:
        yield
    finally:
        gc.callbacks.remove(look)

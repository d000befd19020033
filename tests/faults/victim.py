"""``streamproc`` as a program that something befalls at a named point: ``STREAMPROC_FAULT=after_send:30``.

The product has no hooks for faults. This wrapper patches its classes in the process that is to suffer, and
nowhere else, and then runs the command as ever:

- ``after_poll``: records were fetched, nothing is done with them yet;
- ``after_inference``: the model has answered, nothing of it was sent;
- ``after_send``: decisions were given to the producer, some of them may be on the wire;
- ``after_acknowledgement``: the broker has them, nothing of it is committed;
- ``before_commit``, ``after_commit``: around the storing of positions;
- ``clock_jump``: not an end: the machine's wall clock is an hour ahead from there on.

The number says at which passing of the point, as a process passes some of them thousands of times a second.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from streamproc.cli import program
from streamproc.connectors.kafka import KafkaRecordSink, KafkaRecordSource
from streamproc.runtime.driver import Driver

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLE = "STREAMPROC_FAULT"
KILL_POINTS = (
    "after_poll",
    "after_inference",
    "after_send",
    "after_acknowledgement",
    "before_commit",
    "after_commit",
)
JUMP_S = 3600


class Fuse:
    """Counts how often a point is passed, and lets the fault happen at one of them."""

    def __init__(self, passes: int, fault: Callable[[], None]) -> None:
        self._left = passes
        self._fault = fault

    def passed(self) -> None:
        self._left -= 1
        if self._left == 0:
            self._fault()


def arm(point: str, fuse: Fuse) -> None:
    """Patch the place where the point is passed.

    Raises:
        SystemExit: there is no such point.
    """
    match point:
        case "after_poll":
            _when_polled(fuse)
        case "after_inference" | "clock_jump":
            _around(Driver, "_ended", fuse, before=True)
        case "after_send":
            _around(KafkaRecordSink, "send", fuse, before=False)
        case "after_acknowledgement":
            _around(Driver, "_sent", fuse, before=False)
        case "before_commit":
            _when_committed(fuse, before=True)
        case "after_commit":
            _when_committed(fuse, before=False)
        case _:
            sys.exit(f"{VARIABLE}: there is no point {point!r}")


def _around(kind: type, name: str, fuse: Fuse, *, before: bool) -> None:
    plain = getattr(kind, name)

    def patched(self: object, *args: object, **named: object) -> object:
        if before:
            fuse.passed()
        answer = plain(self, *args, **named)
        if not before:
            fuse.passed()
        return answer

    setattr(kind, name, patched)


def _when_polled(fuse: Fuse) -> None:
    plain = KafkaRecordSource.poll

    async def patched(self: KafkaRecordSource, **named: Any) -> object:
        batches = await plain(self, **named)
        if batches:
            fuse.passed()
        return batches

    KafkaRecordSource.poll = patched  # type: ignore[method-assign,assignment]


def _when_committed(fuse: Fuse, *, before: bool) -> None:
    plain = KafkaRecordSource.commit

    async def patched(self: KafkaRecordSource, positions: Any) -> None:
        if before:
            fuse.passed()
        await plain(self, positions)
        if not before:
            fuse.passed()

    KafkaRecordSource.commit = patched  # type: ignore[method-assign]


def _end_at_once() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _jump() -> None:
    plain = time.time_ns

    def ahead() -> int:
        return plain() + JUMP_S * 1_000_000_000

    time.time_ns = ahead


if __name__ == "__main__":
    name, _, passes = os.environ[VARIABLE].partition(":")
    arm(name, Fuse(int(passes or 1), _jump if name == "clock_jump" else _end_at_once))
    program()

"""``streamproc`` as a program that something befalls at a named point: ``STREAMPROC_FAULT=after_send:30``.

The product has no hooks for faults. This wrapper patches its classes in the process that is to suffer, and
nowhere else, and then runs the command as ever:

- ``after_poll``: records were fetched, nothing is done with them yet;
- ``after_inference``: the model has answered, nothing of it was sent;
- ``after_send``: decisions were given to the producer, some of them may be on the wire;
- ``after_acknowledgement``: the broker has them, nothing of it is committed;
- ``before_commit``, ``after_commit``: around the storing of positions;
- ``changelog_sent``: a part of what features remember was given to the producer (a topic that ends with ``-state``);

where decisions are published in transactions:

- ``in_transaction``: records and positions are a part of it, and it is not committed;
- ``after_transaction``: it is committed, and nobody here has been told;

and what is no end by itself:

- ``hang_in_thread``, ``hang_on_loop``: a batch of the model never comes back, in a thread or on the event loop;
- ``stuck_consumer``: the consumer gives nothing more, and raises nothing; another one would;
- ``clock_jump``: the machine's wall clock is an hour ahead from there on.

The number says at which passing of the point, as a process passes some of them thousands of times a second.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, ClassVar

from aiokafka import AIOKafkaProducer

from streamproc.cli import program
from streamproc.connectors import kafka
from streamproc.connectors.kafka import KafkaRecordSink, KafkaRecordSource
from streamproc.runtime import driver
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
TRANSACTION_POINTS = (
    "after_poll",
    "after_inference",
    "after_send",
    "in_transaction",
    "after_transaction",
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
    """Patch the place where the point is passed."""
    match point:
        case "after_poll":
            _when_polled(fuse)
        case "stuck_consumer":
            _stuck_when_polled(fuse)
        case "after_send":
            for sink in _sinks():
                _around(sink, "send", fuse, before=False)
        case "changelog_sent":
            for sink in _sinks():
                _when_sent_to("-state", sink, fuse)
        case "in_transaction" | "after_transaction":
            _when_published(fuse, before=point == "in_transaction")
        case "before_commit" | "after_commit":
            _when_committed(fuse, before=point == "before_commit")
        case _:
            _in_driver(point, fuse)


def _in_driver(point: str, fuse: Fuse) -> None:
    match point:
        case "after_inference" | "clock_jump":
            _around(Driver, "_ended", fuse, before=True)
        case "after_acknowledgement":
            _around(Driver, "_sent", fuse, before=False)
        case "hang_in_thread":
            driver.INLINE_MAX_NS = 0
            _around(driver, "attempt", fuse, before=True)
        case "hang_on_loop":
            _around(driver, "attempt", fuse, before=True)


def _around(owner: Any, name: str, fuse: Fuse, *, before: bool) -> None:
    """Wrap a method of a class, or a function of a module."""
    plain = getattr(owner, name)

    def patched(*args: object, **named: object) -> object:
        if before:
            fuse.passed()
        answer = plain(*args, **named)
        if not before:
            fuse.passed()
        return answer

    setattr(owner, name, patched)


def _sinks() -> list[type]:
    """Both kinds, with transactions and without."""
    transactional = getattr(kafka, "KafkaTransactionalSink", None)
    return [KafkaRecordSink, *([transactional] if transactional else [])]


def _when_sent_to(suffix: str, sink: Any, fuse: Fuse) -> None:
    plain = sink.send

    def patched(self: object, records: Any, done: Any) -> None:
        plain(self, records, done)
        if records.topic.endswith(suffix):
            fuse.passed()

    sink.send = patched


def _when_published(fuse: Fuse, *, before: bool) -> None:
    """Around the request that commits a transaction."""
    plain = AIOKafkaProducer.commit_transaction

    async def patched(self: AIOKafkaProducer) -> None:
        if before:
            fuse.passed()
        await plain(self)
        if not before:
            fuse.passed()

    AIOKafkaProducer.commit_transaction = patched


def _when_polled(fuse: Fuse) -> None:
    plain = KafkaRecordSource.poll

    async def patched(self: KafkaRecordSource, **named: Any) -> object:
        batches = await plain(self, **named)
        if batches:
            fuse.passed()
        return batches

    KafkaRecordSource.poll = patched  # type: ignore[method-assign,assignment]


def _stuck_when_polled(fuse: Fuse) -> None:
    plain, stuck = KafkaRecordSource.poll, _Stuck.ones

    async def patched(self: KafkaRecordSource, **named: Any) -> object:
        _Stuck.polled = self
        fuse.passed()
        if self in stuck:
            await asyncio.sleep(0.1)
            return []
        return await plain(self, **named)

    KafkaRecordSource.poll = patched  # type: ignore[method-assign,assignment]


class _Stuck:
    """Which consumers are stuck, and which was polled last."""

    ones: ClassVar[set[KafkaRecordSource]] = set()
    polled: ClassVar[KafkaRecordSource | None] = None


def _when_committed(fuse: Fuse, *, before: bool) -> None:
    plain = KafkaRecordSource.commit

    async def patched(self: KafkaRecordSource, positions: Any) -> None:
        if before:
            fuse.passed()
        await plain(self, positions)
        if not before:
            fuse.passed()

    KafkaRecordSource.commit = patched  # type: ignore[method-assign]


def end_at_once() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def forever() -> None:
    threading.Event().wait()


def get_stuck() -> None:
    if _Stuck.polled is not None:
        _Stuck.ones.add(_Stuck.polled)


def jump() -> None:
    plain = time.time_ns

    def ahead() -> int:
        return plain() + JUMP_S * 1_000_000_000

    time.time_ns = ahead


_FAULTS: dict[str, Callable[[], None]] = {
    **dict.fromkeys((*KILL_POINTS, *TRANSACTION_POINTS, "changelog_sent"), end_at_once),
    "hang_in_thread": forever,
    "hang_on_loop": forever,
    "stuck_consumer": get_stuck,
    "clock_jump": jump,
}


if __name__ == "__main__":
    name, _, passes = os.environ[VARIABLE].partition(":")
    if name not in _FAULTS:
        sys.exit(f"{VARIABLE}: there is no point {name!r}: there are {', '.join(_FAULTS)}")
    arm(name, Fuse(int(passes or 1), _FAULTS[name]))
    program()

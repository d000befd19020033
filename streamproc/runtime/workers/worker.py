"""A worker: the service in a process of its own, at the other end of a channel."""

import asyncio
import contextlib
import logging
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from functools import partial
from typing import cast

import uvloop

from streamproc.config import hide_in_logs, redact, secrets_of
from streamproc.core import NS_PER_S, SystemClock, process_cpu_ns
from streamproc.runtime.draining import DRAIN_GRACE_NS
from streamproc.runtime.pipeline import Pipeline
from streamproc.runtime.service import Service
from streamproc.runtime.workers.channel import Channel
from streamproc.runtime.workers.messages import (
    Brake,
    Failed,
    Job,
    Order,
    Reload,
    Reloaded,
    Snapshot,
    Warm,
)

log = logging.getLogger(__name__)

SNAPSHOT_EVERY_S = 0.25
"""What a killed worker had counted is known up to so long before, and to its last commit. One is 60 KB and 0.1 ms of the event loop."""
END_GRACE_NS = DRAIN_GRACE_NS + 15 * NS_PER_S
"""How long a worker may take to end: its drain, the last commit and the leaving of Kafka."""
_FAILED = 1


def main(channel: int, parent: int) -> None:
    """Run a worker; the exit code is 0 where it was told to end.

    Args:
        channel: the file descriptor of our end of the channel.
        parent: the process at its other end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the parent
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # so is a reload
    threading.Thread(target=_outlive, args=(parent,), daemon=True).start()
    sys.exit(uvloop.run(_live(socket.socket(fileno=channel))))


def _outlive(parent: int) -> None:
    """End the process some time after its parent, though its event loop may stand still."""
    with contextlib.suppress(ProcessLookupError):
        select.select([os.pidfd_open(parent)], [], [])
    threading.Event().wait(END_GRACE_NS / NS_PER_S)
    os._exit(_FAILED)


async def _live(end: socket.socket) -> int:
    """Do the job that the parent sends; gives the exit code."""
    channel = await Channel.open(end)
    messages = channel.messages()
    try:
        job = cast("Job", await anext(messages))
        _set_up_logging(job)
        await Worker(job, channel, cast("AsyncIterator[Order]", messages)).run()
    except StopAsyncIteration:  # the parent is gone already
        return _FAILED
    except Exception as error:
        log.debug("the worker cannot go on", exc_info=True)
        channel.tell(Failed.because(error))
        return _FAILED
    finally:
        await channel.close()
    return 0


def _set_up_logging(job: Job) -> None:
    logging.basicConfig(
        level=job.log_level,
        format=f"%(asctime)s %(levelname)s worker {job.number}: %(name)s: %(message)s",
    )
    _hide(set(secrets_of(job.config)))
    if job.log_level > logging.DEBUG:
        for name in ("aiokafka", "asyncio"):
            logging.getLogger(name).setLevel(max(job.log_level, logging.WARNING))


def _hide(secrets: set[str]) -> None:
    hide_in_logs(partial(redact, secrets=secrets))


class Worker:
    """The service, obeying its parent and telling it how it stands.

    Args:
        job: what it does.
        channel: to the parent.
        orders: what it says.

    Raises:
        ConfigError: the configuration does not fit, or the model does not load.
    """

    def __init__(self, job: Job, channel: Channel, orders: AsyncIterator[Order]) -> None:
        self._channel = channel
        self._orders = orders
        pipeline = Pipeline.from_config(job.config)
        clock = SystemClock()
        self._source = pipeline.kafka_source(clock)
        self._parts = pipeline.parts(source=self._source, clock=clock)
        self._service = Service(pipeline, self._parts, before_join=self._wait_to_join)
        self._service.before_commit = self._tell_if_heard
        self._secrets = set(secrets_of(job.config))
        self._service.watches = False
        self._join = asyncio.Event()
        self._reloading: asyncio.Task[None] | None = None
        self._cpu_ns = process_cpu_ns()

    async def run(self) -> None:
        """Run until told to stop, by the parent, by SIGTERM, or by the parent's end."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        beside = [asyncio.create_task(self._obey()), asyncio.create_task(self._tell_regularly())]
        try:
            await self._service.run()
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            self._tell()

    async def _obey(self) -> None:
        async for order in self._orders:
            if order == "join":
                self._cpu_ns = process_cpu_ns()
                self._join.set()
            elif order == "pause":
                self._service.pause()
            elif order == "resume":
                self._service.resume()
            elif isinstance(order, Reload):
                self._reload(order)
            elif isinstance(order, Brake):
                self._service.brake(order.measures)
            else:
                self._stop()
        self._stop()  # the parent is gone

    def _reload(self, order: Reload) -> None:
        """Begin one; orders that come meanwhile are obeyed."""
        self._reloading = asyncio.create_task(self._tell_reloaded(order))

    async def _tell_reloaded(self, order: Reload) -> None:
        error: Exception | None = None
        self._secrets |= secrets_of(order.config)
        _hide(self._secrets)
        try:
            await self._service.reload(order.config)
        except Exception as raised:  # noqa: BLE001 - whatever it is, the parent says it
            error = Failed.because(raised).error
        self._channel.tell(Reloaded(self._service.models(), error))

    def _stop(self) -> None:
        """End in order; the others get our partitions at once, not when the session is over."""
        self._source.leaves_for_good = True
        self._service.stop()
        self._join.set()

    async def _wait_to_join(self) -> None:
        """Say that the model is warm, and wait until the others' are."""
        self._channel.tell(Warm(self._service.models()))
        await self._join.wait()

    async def _tell_regularly(self) -> None:
        while True:
            await asyncio.sleep(SNAPSHOT_EVERY_S)
            self._tell_if_heard()

    def _tell_if_heard(self) -> None:
        """Before a commit too: what nobody will read again is in the parent's books, whenever we are killed."""
        if self._channel.is_clear:  # else the parent is behind: the next one says it all
            self._tell()

    def _tell(self) -> None:
        service, accounts = self._service, self._service.accounts()
        if accounts is not None:
            cpu_ns = process_cpu_ns() - self._cpu_ns
            self._channel.tell(Snapshot(accounts, service.gauges(), service.readiness(), cpu_ns))

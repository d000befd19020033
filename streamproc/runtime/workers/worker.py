"""A worker: the service in a process of its own, at the other end of a pipe."""

import asyncio
import contextlib
import logging
import pickle
import signal
import sys
from multiprocessing.connection import Connection

import uvloop

from streamproc.core import ConfigError, StreamprocError, process_cpu_ns
from streamproc.runtime.pipeline import Pipeline
from streamproc.runtime.service import Service
from streamproc.runtime.workers.messages import Failed, Job, Report, Snapshot, Warm

SNAPSHOT_EVERY_S = 0.25
_CONFIG_WRONG = 2
_FAILED = 1


def main(job: Job, pipe: Connection) -> None:
    """Run the worker; its exit code is a command's."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a terminal sends it to us too: the parent tells us
    logging.basicConfig(
        level=job.log_level,
        format=f"%(asctime)s %(levelname)s worker {job.number}: %(name)s: %(message)s",
    )
    for name in ("aiokafka", "asyncio"):
        logging.getLogger(name).setLevel(max(job.log_level, logging.WARNING))
    try:
        uvloop.run(_Worker(job, pipe).run())
    except ConfigError as error:
        _say(pipe, Failed(str(error), config=True))
        sys.exit(_CONFIG_WRONG)
    except StreamprocError as error:
        _say(pipe, Failed(str(error), config=False))
        sys.exit(_FAILED)


class _Worker:
    def __init__(self, job: Job, pipe: Connection) -> None:
        self._pipe = pipe
        pipeline = Pipeline.from_config(job.config)
        self._parts = pipeline.parts()
        self._service = Service(pipeline, self._parts, before_join=self._wait_to_join)
        self._join = asyncio.Event()
        self._cpu_ns = process_cpu_ns()

    async def run(self) -> None:
        """Run until told to stop, or until the parent is gone."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._pipe.fileno(), self._hear)
        loop.add_signal_handler(signal.SIGTERM, self._stop)
        telling = asyncio.create_task(self._tell_regularly())
        try:
            await self._service.run()
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
            loop.remove_reader(self._pipe.fileno())
            self._tell()

    def _stop(self) -> None:
        self._service.stop()
        self._join.set()

    def _hear(self) -> None:
        try:
            order = self._pipe.recv()
        except (EOFError, OSError):  # the parent is gone: its group gets our partitions
            asyncio.get_running_loop().remove_reader(self._pipe.fileno())
            order = "stop"
        if order == "join":
            self._cpu_ns = process_cpu_ns()
            self._join.set()
        else:
            self._stop()

    async def _wait_to_join(self) -> None:
        """Say that the model is warm, and wait until the others' are."""
        _say(self._pipe, Warm(self._service.models()))
        await self._join.wait()

    async def _tell_regularly(self) -> None:
        while True:
            await asyncio.sleep(SNAPSHOT_EVERY_S)
            snapshot = self._snapshot()
            if snapshot is not None:
                # A parent that does not read must not hold up the event loop.
                await asyncio.to_thread(self._send, snapshot)

    def _tell(self) -> None:
        snapshot = self._snapshot()
        if snapshot is not None:
            self._send(snapshot)

    def _snapshot(self) -> bytes | None:
        accounts = self._service.accounts()
        if accounts is None:
            return None
        cpu_ns = process_cpu_ns() - self._cpu_ns
        service = self._service
        return pickle.dumps(Snapshot(accounts, service.gauges(), service.readiness(), cpu_ns))

    def _send(self, message: bytes) -> None:
        with contextlib.suppress(OSError):  # the parent is gone: `_hear` knows
            self._pipe.send_bytes(message)


def _say(pipe: Connection, report: Report) -> None:
    with contextlib.suppress(OSError):
        pipe.send_bytes(pickle.dumps(report))

"""``python -m streamproc.replay.outside WORK``: the world around a pipeline, in a process of its own.

Plays a recording into a topic and reads the decisions from another, as a producer and a consumer would
that know nothing of the pipeline. Speaks JSON lines: says ``ready``; waits for ``go``; says ``played``;
waits for ``finish``; reads the decisions to their end and says ``seen``. Ends when its input is closed.
"""

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import Collection, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError
from aiokafka.partitioner import murmur2

from streamproc.core import NS_PER_MS, StreamprocError, SystemClock
from streamproc.replay.audit import Audit
from streamproc.replay.files import open_recording
from streamproc.replay.outside_process import OutsideWork
from streamproc.replay.player import Played, play
from streamproc.replay.recorded import Recorded
from streamproc.replay.schedule import Schedule

_LOG_APPEND_TIME = 1
_DELIVERY_TIMEOUT_S = 10.0
_POLL_MS = 200
_READ_TO_END_S = 10.0


class KafkaFeed:
    """Sends events to a topic: the partition follows from the key, as the Java client does it.

    Args:
        producer: started.
        topic: where to.
        partitions: how many it has.
    """

    def __init__(self, producer: AIOKafkaProducer, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._partition_of: dict[bytes | None, int] = {None: 0}
        self._pending: set[asyncio.Future[Any]] = set()
        self.failed = 0
        """Events that the broker did not take."""

    async def send(self, events: Sequence[Recorded], now_ns: int) -> None:
        """Send events with this instant as their timestamp; the acknowledgement is not waited for."""
        by_partition: dict[int, list[Recorded]] = {}
        for event in events:
            by_partition.setdefault(self._partition(event.key), []).append(event)
        for partition, rows in by_partition.items():
            batch, held = self._producer.create_batch(), 0
            for row in rows:
                stamp_ms = now_ns // NS_PER_MS
                if batch.append(timestamp=stamp_ms, key=row.key, value=row.value) is None:
                    await self._dispatch(batch, partition, held)
                    batch, held = self._producer.create_batch(), 0
                    batch.append(timestamp=stamp_ms, key=row.key, value=row.value)
                held += 1
            await self._dispatch(batch, partition, held)

    async def settled(self) -> None:
        """Wait until the broker has answered for all that was sent; what it has not, failed."""
        if self._pending:
            await asyncio.wait(self._pending, timeout=_DELIVERY_TIMEOUT_S)
        for future in list(self._pending):
            future.cancel()

    async def _dispatch(self, batch: Any, partition: int, held: int) -> None:  # noqa: ANN401 - aiokafka's
        batch.close()
        future = await self._producer.send_batch(batch, self._topic, partition=partition)
        self._pending.add(future)

        def ended(done: "asyncio.Future[Any]") -> None:
            self._pending.discard(done)
            if done.cancelled() or done.exception() is not None:
                self.failed += held

        future.add_done_callback(ended)

    def _partition(self, key: bytes | None) -> int:
        known = self._partition_of
        if key not in known:
            known[key] = (murmur2(key) & 0x7FFFFFFF) % self._partitions
        return known[key]


class DecisionReader:
    """Reads a topic of decisions from its beginning, in no group.

    Args:
        servers: the broker.
        topic: the decisions.
    """

    def __init__(self, servers: str, topic: str) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, auto_offset_reset="none", enable_auto_commit=False
        )
        self._topic = topic
        self._next: dict[TopicPartition, int] = {}
        self.audit = Audit()

    async def start(self, partitions: Collection[int]) -> None:
        """Connect, and stand at the beginning of these partitions."""
        await self._consumer.start()
        places = [TopicPartition(self._topic, number) for number in partitions]
        self._consumer.assign(places)
        for tp, offset in (await self._consumer.beginning_offsets(places)).items():
            self._consumer.seek(tp, offset)
            self._next[tp] = offset

    async def follow(self) -> None:
        """Read until cancelled."""
        while True:
            await self._read()

    async def read_to_end(self) -> None:
        """Read all that is there by now, within a time."""
        end = await self._consumer.end_offsets(list(self._next))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_READ_TO_END_S):
                while any(self._next[tp] < offset for tp, offset in end.items()):
                    await self._read()
        self.audit.seen.unread += sum(max(0, end[tp] - at) for tp, at in self._next.items())

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()

    async def _read(self) -> None:
        try:
            fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
        except OffsetOutOfRangeError as error:
            await self._skip(error)
            return
        for tp, records in fetched.items():
            stamps = [
                r.timestamp * NS_PER_MS if r.timestamp_type == _LOG_APPEND_TIME else None
                for r in records
            ]
            self.audit.add([r.value for r in records], stamps)
            self._next[tp] = records[-1].offset + 1

    async def _skip(self, error: OffsetOutOfRangeError) -> None:
        """The embedded broker keeps 5 MB a partition: what is gone is counted."""
        gone = list(error.args[0])
        for tp, offset in (await self._consumer.beginning_offsets(gone)).items():
            self.audit.seen.unread += max(0, offset - self._next[tp])
            self._next[tp] = offset
            self._consumer.seek(tp, offset)


class Orders:
    """What the parent says, a word a line."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self._words: asyncio.Queue[str] = asyncio.Queue()

    async def listen(self) -> None:
        """Take words until the parent closes our input, or is gone."""
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        while line := await reader.readline():
            word = line.decode().strip()
            if word == "stop":
                self.stop.set()
            else:
                self._words.put_nowait(word)

    async def next(self) -> str:
        """The next word but ``stop``."""
        return await self._words.get()


def _say(kind: str, **values: object) -> None:
    sys.stdout.write(json.dumps({"event": kind, **values}) + "\n")
    sys.stdout.flush()


async def work(job: OutsideWork, orders: Orders) -> None:
    """Do the whole job, as told by the parent.

    Raises:
        KafkaError: the broker failed.
    """
    recording = open_recording(job.recording)
    schedule = Schedule.of(recording.timestamp_ns(), speed=job.speed)
    producer = AIOKafkaProducer(bootstrap_servers=job.servers, acks="all", max_batch_size=1 << 18)
    reader = DecisionReader(job.servers, job.decisions)
    try:
        await producer.start()
        partitions = await producer.partitions_for(job.events)
        await reader.start(await producer.partitions_for(job.decisions))
        following = asyncio.create_task(reader.follow())
        feed = KafkaFeed(producer, job.events, len(partitions))
        _say("ready")
        await orders.next()
        played = await play(
            schedule,
            recording.events_for_ever(),
            count=job.count,
            send=feed.send,
            clock=SystemClock(),
            stop=orders.stop,
            pause_ns=job.pause_ns,
        )
        await feed.settled()
        _say("played", **_report(played, feed.failed, job))
        await orders.next()
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following
        await reader.read_to_end()
        _say("seen", **reader.audit.seen.as_dict())
    finally:
        await reader.stop()
        await producer.stop()


async def serve(job: OutsideWork) -> None:
    """Work until it is done, or until the parent is gone."""
    orders = Orders()
    working = asyncio.create_task(work(job, orders))
    listening = asyncio.create_task(orders.listen())
    await asyncio.wait({working, listening}, return_when=asyncio.FIRST_COMPLETED)
    if not working.done():
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        return
    listening.cancel()
    working.result()


def _report(played: Played, failed: int, job: OutsideWork) -> dict[str, object]:
    return {
        "sent": played.sent,
        "failed": failed,
        "seconds": round(played.seconds, 3),
        "rate_per_s": round(played.sent / played.seconds, 1) if played.seconds else 0.0,
        "speed": round(job.speed, 4),
        "lag_ms": played.lag_ms(),
    }


def main() -> None:
    """Work as the argument says."""
    for number in (signal.SIGINT, signal.SIGTERM):  # they are the parent's, who tells us to stop
        signal.signal(number, signal.SIG_IGN)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(serve(OutsideWork.from_json(sys.argv[1])))
    except (KafkaError, StreamprocError) as error:
        _say("failed", error=str(error) or repr(error))
        sys.exit(1)


if __name__ == "__main__":
    main()

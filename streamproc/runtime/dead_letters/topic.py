"""The dead-letter topic: its letters read from end to end, and chosen ones put back.

A record goes back to its topic in one transaction with a receipt in the dead-letter topic, in the partition of its
letter: either both are there or neither is. Who puts back is alone (one transactional id for a pipeline), and reads the
receipts after all others are shut out. So nothing that was put back is put back again, whenever a run ended.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.errors import KafkaError, ProducerFenced

from streamproc.connectors.kafka import Access, topic_shapes
from streamproc.core import ConfigError, ExternalError, Problem
from streamproc.engine import RECEIPT_HEADER
from streamproc.runtime.dead_letters.letter import (
    Filter,
    Letter,
    Place,
    returned,
)

_RECORDS_MAX: Final = 1_000
_POLL_MS: Final = 1_000
_EMPTY_POLLS_MAX: Final = 20
"""Polls without a record before the topic's end: a broker that answers nothing for so long will not."""
_TOGETHER: Final = 100
"""Letters in one transaction."""
_VALUE_BYTES_MAX: Final = 256 << 20
"""Of the letters that are held to be put back."""
_KEY: Final = "outcomes.dead_letter_topic"

Refusal = Callable[[Letter], "str | None"]
"""Why a letter is not put back; None where it is."""


@dataclass(slots=True)
class Redriven:
    """What was put back.

    Attributes:
        returned: the letters whose records were put back, or would be.
        refused: those that were not, and why.
        before: how many of those chosen had been put back before.
    """

    returned: list[Letter] = field(default_factory=list)
    refused: list[tuple[Letter, str]] = field(default_factory=list)
    before: int = 0


class DeadLetterTopic:
    """A pipeline's dead letters.

    Args:
        access: the cluster.
        topic: the topic.
    """

    def __init__(self, access: Access, topic: str) -> None:
        self._access = access
        self._topic = topic
        self._settings = access.settings()

    async def read(
        self, chosen: Filter, *, limit: int, returned_too: bool = False, values: bool = False
    ) -> tuple[list[Letter], set[Place]]:
        """The letters that are meant, by partition and offset, and which letters were put back.

        Args:
            chosen: which are meant.
            limit: how many at most.
            returned_too: True for those as well that were put back.
            values: True to hold their values; else they are None.

        Raises:
            ConfigError: there is no such topic, or we may not read it.
            ExternalError: the broker failed.
        """
        await self._access.check_reachable()
        async with self._access.explained(topic_setting=_KEY):
            return await self._read(chosen, limit, returned_too=returned_too, values=values)

    async def redrive(
        self,
        chosen: Filter,
        *,
        limit: int,
        refusal: Refusal,
        pipeline: str,
        dry: bool,
    ) -> Redriven:
        """Put records back to where they came from, each at most once.

        Args:
            chosen: the letters that are meant.
            limit: how many at most.
            refusal: says which are not put back after all.
            pipeline: whose letters they are: the transactional id's prefix.
            dry: True to only say what would be done.

        Raises:
            ConfigError: a topic is not there, or an ACL forbids it.
            ExternalError: the broker failed; nothing of what was not acknowledged was put back.
        """
        await self._access.check_reachable()
        async with self._access.explained(topic_setting=_KEY, writes=True):
            if dry:
                return await self._choose(chosen, limit, refusal)
            settings = {**self._settings, "transactional_id": f"{pipeline}.redrive"}
            producer = AIOKafkaProducer(**settings, acks="all", max_request_size=1 << 26)
            # aiokafka leaves the task behind in which it was shut out, with its exception.
            asyncio.get_running_loop().set_exception_handler(_unless_fenced)
            try:
                await producer.start()  # shuts out whoever did the same before us
                done = await self._choose(chosen, limit, refusal)
                for start in range(0, len(done.returned), _TOGETHER):
                    await self._return(producer, done.returned[start : start + _TOGETHER])
            except ProducerFenced as error:
                msg = f"another `dlq redrive` of {pipeline} began: it goes on with what is left"
                raise ExternalError(msg) from error
            finally:
                with contextlib.suppress(KafkaError):  # what went wrong is told already
                    await producer.stop()
            return done

    async def _choose(self, chosen: Filter, limit: int, refusal: Refusal) -> Redriven:
        """What would be put back of what is there now."""
        letters, receipts = await self._read(chosen, limit, returned_too=False, values=True)
        done = Redriven(before=sum(place in receipts for place in chosen.places))
        shapes = await topic_shapes(self._settings, {letter.source.topic for letter in letters})
        for letter in letters:
            why, shape = refusal(letter), shapes[letter.source.topic]
            if why is None and (shape is None or letter.source.partition >= shape.partitions):
                why = f"there is no {letter.source.topic}/{letter.source.partition} any more"
            if why is None:
                done.returned.append(letter)
            else:
                done.refused.append((letter, why))
        return done

    async def _return(self, producer: AIOKafkaProducer, letters: Sequence[Letter]) -> None:
        """Put a few back, with their receipts: all of it or nothing."""
        async with producer.transaction():
            for letter in letters:
                source, at = letter.source, letter.at
                back = await producer.send(
                    source.topic,
                    key=letter.key,
                    value=letter.value,
                    partition=source.partition,
                    headers=list(returned(letter)),
                )
                receipt = await producer.send(
                    self._topic,
                    value=b"",
                    partition=at.partition,
                    headers=[(RECEIPT_HEADER, f"{at.partition}/{at.offset}".encode())],
                )
                for sent in (back, receipt):  # the transaction fails with them: nobody else asks
                    sent.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def _read(
        self, chosen: Filter, limit: int, *, returned_too: bool, values: bool
    ) -> tuple[list[Letter], set[Place]]:
        found: dict[Place, Letter] = {}
        receipts: set[Place] = set()
        room = _VALUE_BYTES_MAX
        async for record in self._records():
            at = Place(self._topic, record.partition, record.offset)
            if (about := _receipt(record, at)) is not None:
                receipts.add(about)
                if not returned_too:
                    found.pop(about, None)
                continue
            letter = Letter.read(
                at,
                timestamp_ms=record.timestamp,
                key=record.key,
                value=record.value,
                headers=record.headers,
                held=values,
            )
            room -= len(letter.value or b"") if letter else 0
            if letter and len(found) < limit and room > 0 and chosen.matches(letter):
                found[at] = letter
        return sorted(found.values(), key=lambda letter: letter.at), receipts

    async def _records(self) -> AsyncIterator[Any]:
        """All committed records that are there now, partition by partition in the order of their offsets."""
        shape = (await topic_shapes(self._settings, [self._topic]))[self._topic]
        if shape is None:
            msg = f"there is no topic {self._topic} on {self._access.servers}: there were no dead letters yet, or it has another name"
            raise ConfigError(Problem(msg, _KEY))
        consumer = AIOKafkaConsumer(
            **self._settings, enable_auto_commit=False, isolation_level="read_committed"
        )
        await consumer.start()
        try:
            partitions = [KafkaPartition(self._topic, n) for n in range(shape.partitions)]
            consumer.assign(partitions)
            start = await consumer.beginning_offsets(partitions)
            end = await consumer.end_offsets(partitions)
            for tp in partitions:
                consumer.seek(tp, start[tp])
            unread = {tp for tp in partitions if start[tp] < end[tp]}
            empty = 0
            while unread:
                fetched = await consumer.getmany(
                    *unread, timeout_ms=_POLL_MS, max_records=_RECORDS_MAX
                )
                empty = 0 if fetched else empty + 1
                if empty > _EMPTY_POLLS_MAX:
                    msg = f"{self._topic} cannot be read to its end: is a transaction open?"
                    raise ExternalError(msg)
                for tp, records in fetched.items():
                    for record in records:
                        if record.offset < end[tp]:
                            yield record
                unread = {tp for tp in unread if await consumer.position(tp) < end[tp]}
        finally:
            await consumer.stop()


def _unless_fenced(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say what asyncio would say, but for what is told already."""
    if not isinstance(context.get("exception"), ProducerFenced):
        loop.default_exception_handler(context)


def _receipt(record: Any, at: Place) -> Place | None:  # noqa: ANN401 - aiokafka has no types
    """The letter that a receipt is about; None where the record is none."""
    for name, value in record.headers:
        if name == RECEIPT_HEADER:
            try:
                return Place.parse((value or b"").decode(errors="replace"), at.topic)
            except ValueError:
                return at  # whoever put it there: it is no letter
    return None

"""The sink when its producer fails: what is mended, what is final, and that nobody waits for ever."""

import asyncio
import gc
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    OutOfOrderSequenceNumber,
    UnknownError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from streamproc.connectors.kafka import Access, KafkaRecordSink, KafkaSink
from streamproc.core import ExternalError, OutRecords, SystemClock, TopicPartition

Answer = Callable[[int, "FakeProducer"], "Exception | None"]
"""What a send to a partition ends with: an error, or None for an acknowledgement."""


class FakeProducer:
    """Takes batches as aiokafka's producer does, and answers as it is told."""

    def __init__(self, answer: Answer) -> None:
        self.client = self
        self.sends: list[int] = []
        self._answer = answer

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1 << 18, 0)

    async def send_batch(self, _builder: Any, _topic: str, *, partition: int) -> Any:
        self.sends.append(partition)
        answer = self._answer(partition, self)
        if isinstance(answer, KafkaTimeoutError):
            await asyncio.Event().wait()  # as add_batch does behind a batch that never leaves
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        if answer is None:
            future.set_result(object())
        else:
            future.set_exception(answer)
        return future

    async def stop(self) -> None: ...

    async def close(self) -> None: ...


class Bed:
    """A sink on fake producers; each new one answers by its number."""

    def __init__(self, answers: Callable[[int], Answer]) -> None:
        self.producers: list[FakeProducer] = []
        self._answers = answers
        self.sink = KafkaRecordSink(
            KafkaSink(topic="out"),
            access=Access("sink.kafka", "nowhere:1"),
            input_topics=["in"],
            made_topics=[],
            clock=SystemClock(),
        )
        self.sink._partitions = {"in": 2, "out": 2}

    async def _connect(self) -> FakeProducer:
        self.producers.append(FakeProducer(self._answers(len(self.producers))))
        return self.producers[-1]

    async def start(self) -> None:
        self.sink._connect = self._connect  # type: ignore[method-assign, assignment]
        self.sink._producer = await self._connect()  # type: ignore[assignment]
        self.sink._keeper = asyncio.create_task(self.sink._keep())
        self.sink._keeper.add_done_callback(self.sink._keeper_ended)

    def send(self, partition: int) -> "asyncio.Future[int | Exception]":
        done: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()
        records = OutRecords("out", TopicPartition("in", partition), [None], [b"value"])
        self.sink.send(records, done.set_result)
        return done


async def result(future: "asyncio.Future[int | Exception]") -> int | Exception:
    async with asyncio.timeout(10):
        return await future


@pytest.mark.parametrize("error", [UnknownError(), MessageSizeTooLargeError()])
async def test_what_a_new_producer_cannot_mend_is_final_for_all_who_wait(
    error: KafkaError,
) -> None:
    bed = Bed(
        lambda _: lambda partition, _producer: error if partition == 0 else KafkaTimeoutError()
    )
    await bed.start()
    answers = [bed.send(1), bed.send(0), bed.send(0)]
    for answer in answers:
        said = await result(answer)
        assert isinstance(said, ExternalError)
        assert "out/0 refuses what is sent" in str(said)
    assert len(bed.producers) == 1
    await bed.sink.stop(timeout_ns=0)


@pytest.mark.parametrize(
    "error", [NotLeaderForPartitionError(), OutOfOrderSequenceNumber(), KafkaError("sender")]
)
async def test_what_a_new_producer_mends_is_sent_again(error: KafkaError) -> None:
    bed = Bed(lambda number: lambda _partition, _producer: error if number == 0 else None)
    await bed.start()
    assert isinstance(await result(bed.send(0)), int)
    assert [producer.sends for producer in bed.producers] == [[0], [0]]
    assert bed.sink.pending_bytes() == 0
    assert bed.sink.healthy()
    await bed.sink.stop(timeout_ns=0)


async def test_a_partition_that_waits_in_the_old_producer_goes_on_with_the_new_one() -> None:
    def answers(number: int) -> Answer:
        def answer(partition: int, _producer: FakeProducer) -> Exception | None:
            if number:
                return None
            return KafkaTimeoutError() if partition == 1 else NotLeaderForPartitionError()

        return answer

    bed = Bed(answers)
    await bed.start()
    waiting, failing = bed.send(1), bed.send(0)
    assert isinstance(await result(waiting), int)
    assert isinstance(await result(failing), int)
    assert len(bed.producers) == 2
    await bed.sink.stop(timeout_ns=0)


async def test_refusals_after_the_first_are_no_news(caplog: pytest.LogCaptureFixture) -> None:
    """Each failed future that nobody looks at would be three lines of asyncio's in the log."""
    answers: list[asyncio.Future[object]] = []
    bed = Bed(lambda _: lambda _partition, _producer: None)
    await bed.start()
    producer: Any = bed.sink._producer

    async def send_batch(*_: Any, **__: Any) -> Any:
        answers.append(asyncio.get_running_loop().create_future())
        return answers[-1]

    producer.send_batch = send_batch
    sent = [bed.send(0), bed.send(1)]
    await asyncio.sleep(0.01)
    for answer in answers:
        answer.set_exception(MessageSizeTooLargeError())
    assert len(answers) == 2
    for said in sent:
        assert isinstance(await result(said), ExternalError)
    await bed.sink.stop(timeout_ns=0)
    answers.clear()
    del answer
    gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_keeper_that_dies_is_not_silent() -> None:
    bed = Bed(lambda _: lambda _partition, _producer: KafkaError("down"))
    await bed.start()

    async def broken() -> FakeProducer:
        raise AssertionError("Unrecognized partition")

    bed.sink._connect = broken  # type: ignore[method-assign, assignment]
    said = await result(bed.send(0))
    assert isinstance(said, ExternalError)
    assert "Unrecognized partition" in str(said)
    await bed.sink.stop(timeout_ns=0)


async def test_a_batch_is_no_larger_than_the_largest_record() -> None:
    sink = KafkaRecordSink(
        KafkaSink(topic="out", max_record=4096),  # type: ignore[arg-type]
        access=Access("sink.kafka", "nowhere:1"),
        input_topics=["in"],
        made_topics=[],
        clock=SystemClock(),
    )
    records = OutRecords("out", TopicPartition("in", 0), [None] * 100, [b"x" * 100] * 100)
    sink._partitions = {"in": 1, "out": 1}
    sink.send(records, lambda _: None)
    outbox = sink._outbox("out", 0)
    parcels = [*outbox.waiting, *([outbox.open] if outbox.open else [])]
    assert len(parcels) > 2
    assert all(parcel.builder.size() <= 4096 for parcel in parcels)

"""The test broker and its helpers do what the other tests take for granted."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import KafkaException, Producer

from tests.support import wait_until
from tests.support.kafka import (
    KafkaBroker,
    Message,
    committed,
    create_topics,
    end_offsets,
    fill,
    read,
)


def test_what_is_sent_is_read_back(kafka: KafkaBroker, topic_name: str) -> None:
    create_topics(kafka.bootstrap, topic_name, partitions=2)
    sent = [
        Message(b"one", b"a", (("traceparent", b"00"), ("empty", None)), 0, 1_700_000_000_000),
        Message(None, b"tombstone", (), 1, 1_700_000_000_001),
    ]

    assert fill(kafka.bootstrap, topic_name, sent) == 2

    got = read(kafka.bootstrap, topic_name)
    assert [(r.value, r.key, r.headers, r.partition, r.timestamp_ms) for r in got] == sent
    assert [(r.topic, r.offset) for r in got] == [(topic_name, 0), (topic_name, 0)]
    assert committed(kafka.bootstrap, topic_name, topic_name) == {}


def test_a_topics_configuration_counts(kafka: KafkaBroker, topic_name: str) -> None:
    before_ms = time.time_ns() // 1_000_000
    config = {"message.timestamp.type": "LogAppendTime", "cleanup.policy": "compact"}
    create_topics(kafka.bootstrap, topic_name, partitions=1, config=config)
    fill(kafka.bootstrap, topic_name, [Message(b"v", b"k", timestamp_ms=1)])

    [record] = read(kafka.bootstrap, topic_name)
    assert record.timestamp_ms >= before_ms

    with pytest.raises(KafkaException):  # a compacted topic takes no record without a key
        fill(kafka.bootstrap, topic_name, [Message(b"v")])


def test_aborted_records_are_not_read(kafka: KafkaBroker, topic_name: str) -> None:
    create_topics(kafka.bootstrap, topic_name, partitions=1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap, "transactional.id": topic_name})
    producer.init_transactions(10)
    for value, finish in ((b"no", "abort_transaction"), (b"yes", "commit_transaction")):
        producer.begin_transaction()
        producer.produce(topic_name, value)
        producer.flush(10)
        getattr(producer, finish)(10)

    assert [r.value for r in read(kafka.bootstrap, topic_name, at_least=1)] == [b"yes"]
    assert end_offsets(kafka.bootstrap, topic_name) == {0: 4}  # two records, and what ended them


def test_topics_are_not_made_by_asking_for_them(kafka: KafkaBroker, topic_name: str) -> None:
    with pytest.raises(KafkaException):
        read(kafka.bootstrap, topic_name)


@pytest.mark.kafka
@pytest.mark.slow
def test_a_killed_broker_comes_back_with_its_data() -> None:
    with KafkaBroker({"num.partitions": "1"}) as broker:
        create_topics(broker.bootstrap, "kept", partitions=1)
        fill(broker.bootstrap, "kept", [Message(b"v")])
        first = broker.pid
        broker.kill()
        broker.start()
        assert broker.pid != first
        assert [r.value for r in read(broker.bootstrap, "kept")] == [b"v"]
        folder = broker._folder
    assert folder is not None
    assert not folder.exists()


@pytest.mark.kafka
@pytest.mark.slow
def test_a_broker_that_cannot_start_shows_its_log() -> None:
    broker = KafkaBroker({"num.network.threads": "none"})
    with pytest.raises(RuntimeError, match=r"num\.network\.threads"):
        broker.start()


def test_waiting_ends_with_the_last_answer() -> None:
    answers = iter([0, 0, 7])
    assert wait_until("seven", lambda: next(answers), every_s=0) == 7

    def failing() -> bool:
        raise OSError("not yet")

    with pytest.raises(TimeoutError, match=r"it comes: not after 0 s; .*not yet"):
        wait_until("it comes", failing, timeout_s=0, every_s=0)

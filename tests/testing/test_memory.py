"""What the broker in memory and its source and sink do beyond the contracts."""

import asyncio

import pytest

from streamproc.core import ConfigError, ExternalError, OutRecords, TopicPartition
from streamproc.testing import MemoryBroker, MemorySink, MemorySource, VirtualClock
from streamproc.testing.contracts import RecordingListener

T0 = TopicPartition("ticks", 0)
T1 = TopicPartition("ticks", 1)
POLL_NS = 100_000


def out(*values: bytes) -> OutRecords:
    return OutRecords("decisions", T0, [None] * len(values), list(values))


async def test_gaps_are_passed_over_and_the_position_lies_behind_them() -> None:
    broker = MemoryBroker({"ticks": 1})
    broker.produce("ticks", "a")
    broker.skip("ticks", offsets=3)
    broker.produce("ticks", "b")
    broker.skip("ticks")
    source = MemorySource(broker, ["ticks"], ends=True)
    listener = RecordingListener()
    await source.start(listener)

    (batch,) = await source.poll(timeout_ns=POLL_NS, records_max=10)

    assert batch.offset.tolist() == [0, 4]
    assert batch.end_position == 6
    assert source.exhausted()
    broker.skip("ticks")
    assert await source.poll(timeout_ns=POLL_NS, records_max=10) == []
    assert await source.positions() == {T0: 7}


async def test_compaction_and_retention() -> None:
    broker = MemoryBroker({"ticks": 1})
    for value in "abcdef":
        broker.produce("ticks", value)
    source = MemorySource(broker, ["ticks"])
    await source.start(RecordingListener())
    broker.delete_before("ticks", 0, 2)
    broker.compact("ticks", 0, 3, 5)

    (batch,) = await source.poll(timeout_ns=POLL_NS, records_max=10)

    assert batch.value == [b"c", b"e"]
    assert batch.end_position == 6
    assert source.skipped_total == 2


async def test_partitions_are_taken_and_given_on_demand() -> None:
    broker = MemoryBroker({"ticks": 2})
    source, listener = MemorySource(broker, ["ticks"]), RecordingListener()
    await source.start(listener)
    for n in range(4):
        broker.produce("ticks", str(n), partition=n % 2)
    for batch in await source.poll(timeout_ns=POLL_NS, records_max=10):
        listener.behind[batch.source] = batch.end_position

    await source.revoke([T1])
    assert broker.committed("test") == {T0: 0, T1: 2}
    assert source.owned == [T0]
    await source.commit({T0: 1, T1: 0})
    assert broker.committed("test") == {T0: 1, T1: 2}
    await source.assign([T1])
    assert listener.owned == {T0: 0, T1: 2}


async def test_a_poll_that_waits_is_woken_by_a_record() -> None:
    broker = MemoryBroker({"ticks": 1})
    source = MemorySource(broker, ["ticks"], start="latest")
    await source.start(RecordingListener())
    polling = asyncio.create_task(source.poll(timeout_ns=10**10, records_max=1))
    await asyncio.sleep(0)
    broker.produce("ticks", {"x": 1}, headers={"h": "v"})

    (batch,) = await polling

    assert batch.value == [b'{"x":1}']
    assert batch.headers == {0: (("h", b"v"),)}


async def test_failures_on_demand() -> None:
    broker = MemoryBroker({"ticks": 1})
    source = MemorySource(broker, ["ticks"])
    with pytest.raises(ExternalError, match="not started"):
        await source.poll(timeout_ns=POLL_NS, records_max=1)
    with pytest.raises(ConfigError, match="topic nothing does not exist"):
        await MemorySource(broker, ["nothing"]).start(RecordingListener())
    await source.start(RecordingListener())
    source.fail_commits(ExternalError("no", retriable=True))
    with pytest.raises(ExternalError, match="no"):
        await source.commit({T0: 1})
    source.fail_polls(ExternalError("gone"))
    with pytest.raises(ExternalError, match="gone"):
        await source.poll(timeout_ns=POLL_NS, records_max=1)
    with pytest.raises(ConfigError, match="topic lost does not exist"):
        await MemorySink(broker, topics=["lost"]).start()


def test_acknowledgements_come_when_they_are_let() -> None:
    clock = VirtualClock(0)
    broker = MemoryBroker({"decisions": 1}, clock=clock)
    sink = MemorySink(broker, delay_ns=5, automatic=False)
    results: list[int | Exception] = []
    sink.send(out(b"a"), results.append)
    assert sink.due_ns == 5
    sink.acknowledge_due()
    assert (results, sink.pending_bytes()) == ([], 1)
    clock.advance(5)
    sink.acknowledge_due()
    assert (results, sink.pending_bytes()) == ([5], 0)

    sink.hold()
    for value in (b"b", b"c", b"d"):
        sink.send(out(value), results.append)
    clock.advance(5)
    sink.acknowledge_due()
    assert sink.due_ns is None
    sink.release(1)
    assert results == [5, 10]
    sink.release()
    assert results == [5, 10, 10, 10]
    assert [r.value for r in broker.records("decisions")] == [b"a", b"b", b"c", b"d"]

    error = ExternalError("refused")
    sink.fail(error)
    sink.send(out(b"e"), results.append)
    clock.advance(5)
    sink.acknowledge_due()
    assert results[-1] is error
    assert len(broker.records("decisions")) == 4


def test_keys_choose_their_partition_as_the_java_client() -> None:
    """The values of Apache Kafka's ``Utils.murmur2`` for these keys, by 3 partitions."""
    broker = MemoryBroker({"t": 3})
    assert [broker.produce("t", "", key=k).partition for k in ("21", "foobar", "abc")] == [
        (-973932308 & 0x7FFFFFFF) % 3,
        (-790332482 & 0x7FFFFFFF) % 3,
        (479470107 & 0x7FFFFFFF) % 3,
    ]
    assert [broker.produce("t", "").partition for _ in range(4)] == [0, 1, 2, 0]
    with pytest.raises(ValueError, match="there is no 3"):
        broker.produce("t", "", partition=3)
    with pytest.raises(ConfigError, match="it has t"):
        broker.produce("u", "")

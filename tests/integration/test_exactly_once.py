"""``delivery: exactly_once`` on a real broker: whatever happens, those who read committed see each event once."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from streamproc.connectors.kafka import Access, KafkaSink, KafkaTransactionalSink, Producers
from streamproc.connectors.kafka.group_requests import GroupMembership, StoredOffset
from streamproc.core import (
    AbortedError,
    ExternalError,
    OutRecords,
    Progress,
    SystemClock,
    TopicPartition,
)
from streamproc.runtime.transactional_id import TransactionalId
from streamproc.testing import audit_topics
from tests.integration.pipelines import (
    TICK,
    Command,
    InThread,
    Load,
    assert_adds_up,
    report,
    set_up,
    size_of,
)
from tests.integration.worker_group import WorkerCommand
from tests.support import wait_until
from tests.support.kafka import KafkaBroker, Message, committed, create_topics, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    from streamproc.testing import AuditReport
    from tests.integration.pipelines import Setup

KILLS = size_of("STREAMPROC_KILLS", 3)
EVENTS = size_of("STREAMPROC_EXACTLY_ONCE_EVENTS", 12_000)
RATE = 2_000
SEED = size_of("STREAMPROC_SEED", 1)


def once(kafka: KafkaBroker, name: str, folder: Path, **more: Any) -> Setup:
    """A pipeline in transactions, and its topics."""
    create_topics(kafka.bootstrap, f"{name}-shed", f"{name}.dlq", f"{name}-ledger")
    return set_up(
        kafka,
        name,
        folder,
        delivery="exactly-once",
        outcomes={"shed_topic": f"{name}-shed", "ledger_topic": f"{name}-ledger"},
        **more,
    )


def audit(bootstrap: str, name: str) -> AuditReport:
    """All of it must be there once, and be committed."""
    found = asyncio.run(
        audit_topics(
            bootstrap,
            inputs=[name],
            decisions=f"{name}-out",
            dead_letters=f"{name}.dlq",
            shed=f"{name}-shed",
            ledger=f"{name}-ledger",
            group_id=name,
            delivery="exactly_once",
        )
    )
    found.require_complete()
    assert found.duplicates == 0
    return found


def test_each_event_has_its_outcome_once(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    config = once(kafka, topic_name, tmp_path).config
    fill(kafka.bootstrap, topic_name, TICK.messages(5_000))
    fill(kafka.bootstrap, topic_name, [Message(b"{", partition=n % 4) for n in range(10)])
    summary = InThread(config, stop_after=5_010).result()
    assert_adds_up(summary)
    assert summary["handed_back"] == 0
    found = audit(kafka.bootstrap, topic_name)
    assert found.outcomes.outcomes == {"on_time": 5_000, "dead_letter": 10}
    assert summary["outcomes"]["on_time"] + summary["outcomes"]["late"] == 5_000


def test_a_member_joins_and_leaves_under_load(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    config = once(kafka, topic_name, tmp_path).config
    with InThread(config) as first:
        first.ready()
        with Load(kafka.bootstrap, topic_name, rate=RATE, events=EVENTS) as load:
            first.until("it works", lambda: first.consumed > 0)
            with InThread(config) as second:
                second.until("it has its share", lambda: second.consumed > 0)
            load.wait()
        first.until("all is done", lambda: all_done(kafka.bootstrap, topic_name), timeout_s=90)
    audit(kafka.bootstrap, topic_name)


def all_done(bootstrap: str, name: str) -> bool:
    """Whether the group has committed all that was sent (no markers stand in the source topic)."""
    return sum(committed(bootstrap, name, name).values()) == EVENTS


@pytest.mark.slow
def test_killed_again_and_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(SEED)
    # A killed member is in the group until its session is over; the broker's usual least is 6 s.
    with KafkaBroker({"group.min.session.timeout.ms": "1000"}) as broker:
        session = {"kafka": {"session_timeout": "1500ms"}}
        config = once(broker, "killed", tmp_path, source=session).config
        command = Command(config)
        with Load(broker.bootstrap, "killed", rate=RATE, events=EVENTS) as load:
            try:
                for kill in range(KILLS):
                    goal = EVENTS * kill // (KILLS + 1)

                    def reached(goal: int = goal) -> bool:
                        return sum(committed(broker.bootstrap, "killed", "killed").values()) > goal

                    wait_until("progress", reached, timeout_s=120)
                    time.sleep(rng.uniform(0.0, 0.5))  # not waited for: the moment of the fault
                    command.kill()
                    last = kill + 1 == KILLS
                    command = Command(config, *(("--stop-when-idle", "10s") if last else ()))
                load.wait()
                assert command.process.wait(120) == 0, command.log_tail()
            finally:
                command.kill()
        found = audit(broker.bootstrap, "killed")
        report("killed, exactly once", kills=KILLS, inputs=found.outcomes.inputs)


@pytest.mark.slow
def test_a_zombie_publishes_nothing_and_goes_on(tmp_path: Path) -> None:
    """It is stopped for longer than its session and its transaction last; another does its work meanwhile."""
    with KafkaBroker(
        {
            "group.min.session.timeout.ms": "1000",
            "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
        }
    ) as broker:
        once_config = once(
            broker,
            "zombie",
            tmp_path,
            source={"kafka": {"session_timeout": "1500ms"}},
            sink_changes={"transaction_timeout": "2s"},
        ).config
        first = Command(once_config)
        second: Command | None = None
        try:
            with Load(broker.bootstrap, "zombie", rate=RATE, events=EVENTS) as load:
                wait_until(
                    "it works",
                    lambda: sum(committed(broker.bootstrap, "zombie", "zombie").values()) > 0,
                    60,
                )
                os.kill(first.process.pid, signal.SIGSTOP)
                again = tmp_path / "again"
                again.mkdir()
                other = again / once_config.name
                other.write_text(once_config.read_text())
                (again / "tick.onnx").write_bytes((tmp_path / "tick.onnx").read_bytes())
                second = Command(other)
                before = sum(committed(broker.bootstrap, "zombie", "zombie").values())
                wait_until(
                    "the other has taken over",
                    lambda: sum(committed(broker.bootstrap, "zombie", "zombie").values()) > before,
                    90,
                )
                os.kill(first.process.pid, signal.SIGCONT)
                load.wait()
            wait_until("all is done", lambda: all_done(broker.bootstrap, "zombie"), 120)
            for command in (first, second):
                command.terminate()
                assert command.process.wait(60) == 0, command.log_tail()
        finally:
            first.kill()
            if second is not None:
                second.kill()
        audit(broker.bootstrap, "zombie")


@pytest.mark.slow
def test_workers_of_which_one_is_killed(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    create_topics(
        kafka.bootstrap, f"{topic_name}-shed", f"{topic_name}.dlq", f"{topic_name}-ledger"
    )
    command = WorkerCommand(
        tmp_path,
        kafka.bootstrap,
        topic_name,
        delivery="exactly_once",
        outcomes={"shed_topic": f"{topic_name}-shed", "ledger_topic": f"{topic_name}-ledger"},
    )
    try:
        command.ready()
        with Load(kafka.bootstrap, command.source, rate=RATE, events=EVENTS) as load:
            wait_until("it works", lambda: command.consumed() > 1_000)
            os.kill(command.worker_pids()[0], signal.SIGKILL)
            load.wait()
        wait_until("all is done", lambda: all_done(kafka.bootstrap, command.source), 120)
        command.terminate()
        assert command.process.wait(60) == 0, command.log_tail()
    finally:
        command.kill()
    audit(kafka.bootstrap, command.source)


# -- the sink alone -----------------------------------------------------------------------------------


def sink_of(
    kafka: KafkaBroker, topic: str, instance: str, **options: Any
) -> KafkaTransactionalSink:
    async def nothing_stored(_: object) -> dict[TopicPartition, StoredOffset]:
        return {}

    return KafkaTransactionalSink(
        Producers(
            KafkaSink(topic=topic, **options),
            access=Access("sink.kafka", kafka.bootstrap),
            input_topics=[topic],
            made_topics=[],
        ),
        identity=TransactionalId(topic, instance),
        membership=lambda: GroupMembership(topic, 7, "nobody", None),
        stored=nothing_stored,
        clock=SystemClock(),
    )


def records_for(topic: str) -> OutRecords:
    return OutRecords(topic, TopicPartition(topic, 0), [None], [b"value"])


async def test_a_member_of_an_older_generation_is_refused(
    kafka: KafkaBroker, topic_name: str
) -> None:
    await asyncio.to_thread(create_topics, kafka.bootstrap, topic_name)
    sink = sink_of(kafka, topic_name, "a")
    await sink.start()
    told: list[int | Exception] = []
    sink.send(records_for(topic_name), told.append)
    with pytest.raises(AbortedError) as refused:
        await sink.commit({TopicPartition(topic_name, 0): progress(1)})
    assert refused.value.lost
    assert told == []
    sink.send(records_for(topic_name), told.append)  # it goes on
    await sink.commit({})
    assert len(told) == 1
    await sink.stop(timeout_ns=10**9)


async def test_two_with_one_identity_end_with_a_line_that_says_so(
    kafka: KafkaBroker, topic_name: str
) -> None:
    await asyncio.to_thread(create_topics, kafka.bootstrap, topic_name)
    first, second = (sink_of(kafka, topic_name, "same") for _ in range(2))
    await first.start()
    first.send(records_for(topic_name), lambda _: None)
    await second.start()
    with pytest.raises(ExternalError, match=f"has the transactional.id {topic_name}/same"):
        await first.commit({})
    await first.stop(timeout_ns=10**9)
    await second.stop(timeout_ns=10**9)
    assert await asyncio.to_thread(end_of, kafka, topic_name) == []


def end_of(kafka: KafkaBroker, topic: str) -> list[bytes | None]:
    return [record.value for record in read(kafka.bootstrap, topic)]


def progress(position: int) -> Progress:
    return Progress(position, np.empty(0, np.int64))

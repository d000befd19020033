"""The sum of ``streamproc_outcomes_total`` is what was consumed, after faults too, on a real broker behind a proxy.

What was consumed is counted by others: the records of the input topic, and those of the topics of decisions, dead
letters and shed events. What a killed process had counted and not committed is read again and counted again: those
are the repeats in the topics.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.integration.pipelines import (
    TICK,
    Load,
    assert_adds_up,
    decisions,
    letter_ids,
    write_config,
)
from tests.integration.served import ServedCommand
from tests.support import PATIENCE_S, descendants, free_port, wait_until
from tests.support.kafka import KafkaCluster, Message, committed, create_topics, end_offsets, read
from tests.support.tcp_proxy import PRODUCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.kafka

ONE_NODE = {
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
}
RATE = 1_000
LONG_AGO_MS = 1_600_000_000_000
OUTCOMES = {
    "decided": ("on_time", "degraded", "late"),
    "dead_letter": ("dead_letter",),
    "shed": ("shed",),
}
"""Which outcomes have their records in which topic."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    with KafkaCluster(ONE_NODE, size=1) as started:
        yield started


def mixed(count: int) -> Iterator[Message]:
    """Ticks, and among them poison, which makes dead letters, and what is so old that it is shed."""
    for number, message in enumerate(TICK.messages(count)):
        if number % 40 == 7:
            yield message._replace(value=b'{"ts": 1, "features": [0.5')
        elif number % 40 == 23:
            yield message._replace(timestamp_ms=LONG_AGO_MS + number)
        else:
            yield message


class Books:
    """A pipeline's processes, what their pages say, and what its topics hold; in a ``with`` block."""

    def __init__(self, cluster: KafkaCluster, name: str, folder: Path) -> None:
        self.cluster, self.name, self._folder = cluster, name, folder
        self.sink, self.shed, self.dead = f"{name}-out", f"{name}-shed", f"{name}.dlq"
        self._lives: list[ServedCommand] = []
        create_topics(cluster.direct, name, self.sink, self.shed, self.dead)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for life in self._lives:
            life.kill()

    def start(self, *args: str, **kafka: Any) -> ServedCommand:
        """Start a process, and wait until it reads."""
        address = f"127.0.0.1:{free_port()}"
        # No fault here is so long that a member is put out of its group: it would count again what it had not committed.
        source = {"session_timeout": "45s", "commit_interval": "200ms", **kafka}
        config = write_config(
            self._folder,
            name=self.name,
            bootstrap=self.cluster.bootstrap,
            topic=self.name,
            sink=self.sink,
            source={"kafka": source},
            outcomes={"shed_topic": self.shed},
            telemetry={"metrics": {"listen": address}},
        )
        log = self._folder / f"{len(self._lives)}.log"
        life = ServedCommand(config, *args, address=address, log=log)
        self._lives.append(life)
        life.ready()
        return life

    def load(self) -> Load:
        return Load(self.cluster.direct, self.name, rate=RATE, messages=mixed)

    def inputs(self) -> int:
        """How many records there are to be consumed."""
        return sum(end_offsets(self.cluster.direct, self.name).values())

    def is_committed(self) -> bool:
        """Whether all of them are."""
        at = self.cluster.direct
        return committed(at, self.name, self.name) == end_offsets(at, self.name)

    def published(self) -> dict[str, Counter[str]]:
        """How often each input is in which topic."""
        at = self.cluster.direct
        return {
            "decided": Counter(d.id for _, d in decisions(at, self.sink)),
            "dead_letter": Counter(letter_ids(read(at, self.dead))),
            "shed": Counter(letter_ids(read(at, self.shed))),
        }


def counted(life: ServedCommand) -> dict[str, int]:
    """Its outcomes by the topic where their records are, by its page."""
    return {
        where: int(sum(life.metric("streamproc_outcomes_total", outcome=one) for one in outcomes))
        for where, outcomes in OUTCOMES.items()
    }


def more(life: ServedCommand, events: int = 300) -> None:
    """Wait until so many more have their outcome."""
    goal = life.consumed() + events
    wait_until("it works on", lambda: life.consumed() >= goal)


def at_rest(life: ServedCommand, events: float) -> dict[str, int]:
    """Wait until so many have their outcome and nothing is under way; gives what the page says then."""
    wait_until(
        f"{events} outcomes, and nothing under way",
        lambda: life.consumed() >= events and life.metric("streamproc_in_flight") == 0,
    )
    handed_back = life.metric("streamproc_handed_back_total")
    assert life.metric("streamproc_fetched_total") == life.consumed() + handed_back
    return counted(life)


def test_through_faults_of_network_and_broker_and_a_restart(
    cluster: KafkaCluster, topic_name: str, tmp_path: Path
) -> None:
    [proxy] = cluster.proxies
    with Books(cluster, topic_name, tmp_path) as books:
        first = books.start()
        with books.load() as load:
            more(first)
            for _ in range(3):
                proxy.cut()
                more(first, 50)
            proxy.change(delay_s=0.1)  # acknowledgements are slow
            more(first)
            proxy.change(delay_s=0.0, answers_lost=True, only_api=PRODUCE)
            wait_until(
                "decisions wait for their acknowledgements",
                lambda: first.metric("streamproc_in_flight") > 300,
            )
            proxy.cut(only_api=PRODUCE)
            proxy.mend()
            more(first)
            cluster.brokers[0].kill()
            cluster.mend()
            more(first)
            first.terminate()  # in full swing
            assert first.process.wait(PATIENCE_S) == 0, first.log_tail()
            second = books.start()
            more(second)
            load.stop()
        summary, inputs = first.answer(), books.inputs()
        page = at_rest(second, inputs - summary["consumed"])
        published = books.published()
    assert_adds_up(summary)
    assert summary["handed_back"] == 0
    total = {
        where: page[where] + sum(summary["outcomes"][one] for one in outcomes)
        for where, outcomes in OUTCOMES.items()
    }
    assert sum(total.values()) == inputs
    assert {where: len(ids) for where, ids in published.items()} == total
    assert all(total.values())


def test_what_was_counted_and_not_committed_before_a_kill_is_counted_again(
    cluster: KafkaCluster, topic_name: str, tmp_path: Path
) -> None:
    with Books(cluster, topic_name, tmp_path) as books:
        # It commits only where it began; killed, its session is over soon.
        first = books.start(commit_interval="1h", session_timeout="6s")
        with books.load() as load:
            more(first)
            load.stop()
        inputs = books.inputs()
        before = at_rest(first, inputs)
        first.kill()
        second = books.start()
        after = at_rest(second, inputs)
        published = books.published()
    assert sum(before.values()) == sum(after.values()) == inputs
    assert sum(ids.total() for ids in published.values()) == 2 * inputs
    assert set().union(*published.values()) == {
        f"{topic_name}/{partition}/{offset}"
        for partition, end in end_offsets(cluster.direct, topic_name).items()
        for offset in range(end)
    }


def test_workers_one_of_which_is_killed(
    cluster: KafkaCluster, topic_name: str, tmp_path: Path
) -> None:
    """What a worker has committed it has told its parent before: a kill loses nothing of the sum."""
    with Books(cluster, topic_name, tmp_path) as books:
        life = books.start("--workers", "2")
        with books.load() as load:
            more(life)
            victim = min(
                pid for pid, line in descendants(life.pid).items() if "workers.worker" in line
            )
            os.kill(victim, signal.SIGKILL)
            wait_until(
                "it is started again",
                lambda: life.metric("streamproc_worker_restarts_total") == 1,
            )
            more(life)
            load.stop()
        wait_until("all is committed", books.is_committed)
        inputs = books.inputs()
        page = at_rest(life, inputs)
        life.terminate()
        assert life.process.wait(PATIENCE_S) == 0, life.log_tail()
        published = books.published()
    total, records = sum(page.values()), sum(ids.total() for ids in published.values())
    assert len(set().union(*published.values())) == inputs
    assert inputs <= total <= records
    summary = life.answer()
    assert_adds_up(summary)
    assert summary["consumed"] == total

"""Alerts in a topic, and labels from one, on a real broker."""

import asyncio
import json

import msgspec

from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import NS_PER_S, Outcome, SystemClock
from streamproc.engine import Output
from streamproc.runtime.label_topic import LabelTopic
from streamproc.runtime.scheduling import make_accounts
from streamproc.runtime.slo_watch import SloWatch
from streamproc.slo import Alert, Alerts, LabelCounts, Labels, Objective, fingerprint
from tests.engine.pipelines import pipeline
from tests.support.kafka import KafkaBroker, Message, create_topics, fill, read


class _Hurried(SystemClock):
    """A clock that the test can move ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead_ns = 0

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns


async def test_alerts_come_to_their_topic(kafka: KafkaBroker, topic_name: str) -> None:
    await asyncio.to_thread(create_topics, kafka.bootstrap, topic_name)
    config = pipeline(
        source=KafkaSource(topics=("ticks",), bootstrap_servers=kafka.bootstrap),
        slo=(Objective("kept", 99.0, bad="shed"),),
        alerts=Alerts(topic=topic_name),
    )
    books, clock = make_accounts(config), _Hurried()
    watch = SloWatch(config, clock, accounts=lambda: books, brake=lambda _: None)
    running = asyncio.create_task(watch.run())
    await asyncio.sleep(0)
    for _ in range(40):
        clock.ahead_ns += 5 * NS_PER_S
        books.settle(Outcome.SHED, 50, "expired")
        watch.look()
    records = []
    async with asyncio.timeout(60):
        while not records:
            records = await asyncio.to_thread(read, kafka.bootstrap, topic_name)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    alerts = [msgspec.json.decode(record.value or b"", type=Alert) for record in records]
    assert {alert.labels["slo"] for alert in alerts} == {"kept"}
    assert [record.key for record in records] == [fingerprint(a.labels).encode() for a in alerts]


async def test_labels_are_joined_with_the_decisions(kafka: KafkaBroker, topic_name: str) -> None:
    decisions, truth = f"{topic_name}-decisions", f"{topic_name}-truth"
    await asyncio.to_thread(create_topics, kafka.bootstrap, decisions, truth)
    config = pipeline(
        source=KafkaSource(topics=("ticks",), bootstrap_servers=kafka.bootstrap),
        sink=KafkaSink(topic=decisions),
        output=Output(labels=("down", "up")),
        slo=(Objective("right", 90.0, labels=Labels(truth)),),
    )
    labels = LabelTopic(config, SystemClock())
    made = [{"id": f"ticks/0/{n}", "output": {"label": "up"}} for n in range(3)]
    said = [{"id": f"ticks/0/{n}", "label": label} for n, label in enumerate(("up", "down", "up"))]
    for topic, values in ((decisions, made), (truth, said)):
        messages = [Message(json.dumps(value).encode(), None) for value in values]
        await asyncio.to_thread(fill, kafka.bootstrap, topic, messages)
    running = asyncio.create_task(labels.run())
    async with asyncio.timeout(60):
        while sum(labels.counts["right"]) < 3:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert labels.counts == {"right": LabelCounts(right=2, wrong=1)}

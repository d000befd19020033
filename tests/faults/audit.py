"""What the topics say after a scenario: the public auditor's answer, and how long nothing was decided."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from streamproc.core import TopicPartition
from streamproc.testing import audit_topics
from tests.support.kafka import stream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamproc.testing.audit import Delivery


@dataclass(frozen=True, slots=True)
class Audit:
    """What the topics say.

    Attributes:
        events: in the input topic.
        missing: events that have no outcome.
        letters: shed records and dead letters.
        repeats: outcomes that are there again, and say the same.
        gap_s: the longest time between two decisions at the broker, by its clock.
        problems: promises that were not kept, in words.
    """

    events: int
    missing: int
    letters: int
    repeats: int
    gap_s: float
    problems: tuple[str, ...]

    def __str__(self) -> str:
        letters = f", {self.letters:,} shed or dead letters" if self.letters else ""
        return f"{self.events:,} events: {self.missing} missing{letters}, {self.repeats:,} repeats"


def audit(
    bootstrap: str,
    *,
    source: str,
    sink: str,
    shed: str,
    group: str,
    delivery: Delivery,
    start: Mapping[int, int],
) -> Audit:
    """Look at the topics.

    Args:
        bootstrap: the brokers.
        source: the topic of the events.
        sink: the topic of the decisions.
        shed: the topic of the shed records.
        group: the consumer group; the topic of its dead letters is called after it.
        delivery: what was promised.
        start: by partition, from which offset on events count; left out, from the first that is there.
    """
    dead = f"{group}.dlq"
    report = asyncio.run(
        audit_topics(
            bootstrap,
            inputs=[source],
            decisions=sink,
            dead_letters=dead,
            shed=shed,
            group_id=group,
            delivery=delivery,
            start={TopicPartition(source, number): at for number, at in start.items()},
        )
    )
    stamps = sorted(message.timestamp()[1] for message in stream(bootstrap, sink, timeout_s=60))
    gap_ms = max((b - a for a, b in itertools.pairwise(stamps)), default=0)
    return Audit(
        events=report.outcomes.inputs,
        missing=len(report.outcomes.missing),
        letters=report.read.get(dead, 0) + report.read.get(shed, 0),
        repeats=report.duplicates,
        gap_s=gap_ms / 1_000,
        problems=tuple(report.problems()),
    )

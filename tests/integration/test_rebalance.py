"""Members come and go under load: nothing is lost, and no commit passes a record without an outcome."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.integration.pipelines import (
    InThread,
    Load,
    assert_adds_up,
    decisions,
    times_left_out,
    write_config,
)
from tests.support.kafka import committed, create_topics, end_offsets

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from streamproc.core import TopicPartition
    from tests.support.kafka import KafkaBroker

PARTITIONS = 4


class CommitAudit:
    """Holds every commit of all members against the outcomes that are final at that moment."""

    def __init__(self) -> None:
        self.members: list[InThread] = []
        self.passed: list[str] = []
        self.commits = 0

    def __call__(self, positions: Mapping[TopicPartition, int]) -> None:
        for source, position in positions.items():
            self.commits += 1
            for offset in range(position):
                place = (source.topic, source.partition, offset)
                if not any(place in member.final for member in self.members):
                    self.passed.append(f"{place} before {position}")
                    break


def test_a_member_joins_and_leaves_under_load(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink = topic_name, f"{topic_name}-out"
    create_topics(kafka.bootstrap, source, sink, partitions=PARTITIONS)
    config = write_config(
        tmp_path,
        name=topic_name,
        bootstrap=kafka.bootstrap,
        topic=source,
        sink=sink,
        source={"kafka": {"commit_interval": "50ms", "client": {"metadata_max_age_ms": 1_000}}},
        model={"executor": {"simulated": {"fixed": "3ms", "per_event": "10us"}}},
    )
    load = Load(kafka.bootstrap, source, rate=4_000)
    audit = CommitAudit()
    with load, InThread(config, on_commit=audit) as first:
        audit.members.append(first)
        first.until("it works", lambda: first.consumed > 500)
        with InThread(config, on_commit=audit) as second:
            audit.members.append(second)
            second.until("it works", lambda: second.consumed > 500)
            alone = first.consumed
            first.until("it goes on", lambda: first.consumed > alone + 500)
            left = second.stop(20)
        alone = first.consumed
        first.until("it goes on alone", lambda: first.consumed > alone + 1_000)
        load.stop()
        ends = end_offsets(kafka.bootstrap, source)
        first.until("the end", lambda: committed(kafka.bootstrap, topic_name, source) == ends)
        stayed = first.stop()
    assert not audit.passed
    assert audit.commits > 10
    for member, summary in ((first, stayed), (second, left)):
        assert_adds_up(summary)
        assert summary["consumed"] == sum(map(len, member.final.values()))
    made = decisions(kafka.bootstrap, sink)
    expected = {f"{source}/{p}/{o}" for p, end in ends.items() for o in range(end)}
    times = Counter(d.id for _, d in made)
    assert times.keys() == expected
    assert len({times_left_out(d) for _, d in made}) == len(expected)
    # A drain finishes what was taken in, so next to nothing is done twice.
    assert len(made) - len(expected) <= stayed["handed_back"] + left["handed_back"]

"""Where a pipeline begins: settled and committed before the first fetch, whatever happens next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from streamproc.core import ConfigError, ExternalError
from tests.integration.pipelines import (
    TICK,
    Command,
    InThread,
    assert_adds_up,
    decisions,
    set_up,
    write_config,
)
from tests.support import free_port, wait_until
from tests.support.kafka import committed, create_topics, end_offsets, fill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

LATEST = {
    "kafka": {"auto_offset_reset": "latest", "commit_interval": "1h", "session_timeout": "6s"}
}


def test_latest_is_committed_before_the_first_fetch(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink, config = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=2,
        source=LATEST,
    )
    fill(kafka.bootstrap, source, TICK.messages(100))
    start = end_offsets(kafka.bootstrap, source)
    killed = Command(config)
    try:
        wait_until(
            "the start is committed",
            lambda: committed(kafka.bootstrap, topic_name, source) == start,
        )
        fill(kafka.bootstrap, source, TICK.messages(500))
        wait_until("a decision", lambda: sum(end_offsets(kafka.bootstrap, sink).values()))
    finally:
        killed.kill()  # it committed nothing more: its commit interval is an hour
    assert committed(kafka.bootstrap, topic_name, source) == start
    fill(kafka.bootstrap, source, TICK.messages(100))  # while nobody reads

    summary = InThread(config, stop_after=600).result()

    assert_adds_up(summary)
    expected = {
        f"{source}/{number}/{offset}"
        for number, end in end_offsets(kafka.bootstrap, source).items()
        for offset in range(start[number], end)
    }
    assert {d.id for _, d in decisions(kafka.bootstrap, sink)} == expected


def test_earliest_begins_with_what_retention_left(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, _, config = set_up(kafka, topic_name, tmp_path, partitions=1)
    fill(kafka.bootstrap, source, TICK.messages(300))
    _delete_before(kafka.bootstrap, source, 120)

    summary = InThread(config, stop_after=180).result()

    assert summary["outcomes"]["on_time"] == 180
    assert summary["skipped"] == 0
    assert committed(kafka.bootstrap, topic_name, source) == {0: 300}


@pytest.mark.parametrize("reset", ["latest", "earliest"])
def test_a_partition_added_later_is_read_from_its_first_record(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, reset: str
) -> None:
    source, sink, config = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=2,
        source={
            "kafka": {
                "auto_offset_reset": reset,
                "commit_interval": "100ms",
                "client": {"metadata_max_age_ms": 500},
            }
        },
    )
    with InThread(config) as pipeline:
        pipeline.ready()
        pipeline.until("both", lambda: len(committed(kafka.bootstrap, topic_name, source)) == 2)
        admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
        for done in admin.create_partitions([NewPartitions(source, 4)]).values():
            done.result()
        wait_until("the new partitions", lambda: len(end_offsets(kafka.bootstrap, source)) == 4)
        fill(
            kafka.bootstrap,
            source,
            [m._replace(partition=n % 4) for n, m in enumerate(TICK.messages(400))],
        )
        pipeline.until("all decisions", lambda: pipeline.consumed >= 400)
        ends = dict.fromkeys(range(4), 100)
        pipeline.until("commits", lambda: committed(kafka.bootstrap, topic_name, source) == ends)
        summary = pipeline.stop()
    assert summary["outcomes"]["on_time"] == 400
    made = decisions(kafka.bootstrap, sink)
    assert len(made) == len({d.id for _, d in made}) == 400


def test_records_that_retention_took_are_skipped_and_counted(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink, config = set_up(kafka, topic_name, tmp_path, partitions=1)
    fill(kafka.bootstrap, source, TICK.messages(1_000))
    assert InThread(config, stop_after=200).result()["consumed"] == 200
    assert committed(kafka.bootstrap, topic_name, source) == {0: 200}
    _delete_before(kafka.bootstrap, source, 700)

    summary = InThread(config, stop_after=300).result()

    assert_adds_up(summary)
    assert summary["outcomes"]["on_time"] == 300
    assert summary["skipped"] == 500
    assert committed(kafka.bootstrap, topic_name, source) == {0: 1_000}
    offsets = [int(d.id.rpartition("/")[2]) for _, d in decisions(kafka.bootstrap, sink)]
    assert offsets == [*range(200), *range(700, 1_000)]


def _delete_before(bootstrap: str, topic: str, offset: int) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for done in admin.delete_records([TopicPartition(topic, 0, offset)]).values():
        done.result()


def test_partitions_that_cannot_be_taken_over_end_the_pipeline(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a listener raises is swallowed by aiokafka: the group would think that they are read."""
    config = set_up(kafka, topic_name, tmp_path, partitions=1).config

    async def failing(*_: object) -> None:
        raise OSError("no offsets today")

    monkeypatch.setattr("streamproc.connectors.kafka.source.positions_of", failing)
    with pytest.raises(ExternalError, match="no offsets today"):
        InThread(config).result(20)


# -- what is not there


def test_what_is_missing_at_the_start_is_named(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink = topic_name, f"{topic_name}-out"
    create_topics(kafka.bootstrap, source, sink, partitions=1)
    port = free_port()

    def failure(**changes: str) -> Exception:
        given = {"bootstrap": kafka.bootstrap, "topic": source, "sink": sink, **changes}
        config = write_config(tmp_path, name=topic_name, **given)
        with pytest.raises((ConfigError, ExternalError)) as caught:
            InThread(config, stop_after=1).result(20)
        assert "\n" not in str(caught.value)
        return caught.value

    no_source = failure(topic="no-such-source")
    assert isinstance(no_source, ConfigError)
    assert "no-such-source" in str(no_source)
    assert kafka.bootstrap in str(no_source)
    no_sink = failure(sink="no-such-sink")
    assert isinstance(no_sink, ConfigError)
    assert "no-such-sink" in str(no_sink)
    nobody = failure(bootstrap=f"127.0.0.1:{port}")
    assert isinstance(nobody, ExternalError)
    assert f"127.0.0.1:{port}" in str(nobody)


def test_the_command_says_in_one_line_that_there_is_no_broker(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    """``kafka`` only so that the tests which need Java are marked alike."""
    port = free_port()
    config = write_config(
        tmp_path, name=topic_name, bootstrap=f"127.0.0.1:{port}", topic="a", sink="b"
    )
    command = Command(config, "--stop-after", "1")
    assert command.process.wait(20) == 2
    said = command.answer()["error"]
    assert f"127.0.0.1:{port}" in said
    assert "\n" not in said
    assert "Traceback" not in command.log_tail()

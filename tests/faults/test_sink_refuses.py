"""A topic that refuses what is sent, for good: the pipeline ends soon, says which, and commits nothing of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from streamproc.core import ExternalError
from tests.integration.pipelines import TICK, InThread, write_config
from tests.support.kafka import committed, create_topics, end_offsets, fill

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker


def test_a_topic_that_takes_only_small_records(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink = topic_name, f"{topic_name}-out"
    create_topics(kafka.bootstrap, source, partitions=2)
    create_topics(kafka.bootstrap, sink, partitions=2, config={"max.message.bytes": "200"})
    fill(kafka.bootstrap, source, TICK.messages(2_000))
    config = write_config(
        tmp_path, name=topic_name, bootstrap=kafka.bootstrap, topic=source, sink=sink
    )
    started = time.monotonic()

    with pytest.raises(ExternalError) as caught:
        InThread(config).result(20)

    assert time.monotonic() - started < 10
    assert sink in str(caught.value)
    assert "\n" not in str(caught.value)
    assert set(committed(kafka.bootstrap, topic_name, source).values()) == {0}
    assert sum(end_offsets(kafka.bootstrap, sink).values()) == 0

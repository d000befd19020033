"""The consumer is made anew in the middle of the work: nothing is lost, and nothing that was stored is read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streamproc.connectors.kafka import RecoveringSource
from tests.integration.pipelines import TICK, InThread, Load, assert_adds_up, decisions, set_up
from tests.support.kafka import committed, end_offsets, fill, members

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

REJOINS = 3


def source_of(pipeline: InThread) -> RecoveringSource:
    assert pipeline.service is not None
    source = pipeline.service._parts.source
    assert isinstance(source, RecoveringSource)
    return source


def on_its_loop(pipeline: InThread, what: str) -> object:
    """Call a method of the source there where the pipeline runs."""
    return pipeline.call(getattr(source_of(pipeline), what))


def test_nothing_is_lost_when_the_consumer_is_made_anew(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink, config = set_up(kafka, topic_name, tmp_path)
    with InThread(config) as pipeline, Load(kafka.bootstrap, source, rate=2_000) as load:
        pipeline.ready()
        for _ in range(REJOINS):
            goal = pipeline.consumed + 500
            pipeline.until("it works", lambda goal=goal: pipeline.consumed > goal)
            on_its_loop(pipeline, "rejoin")
        goal = pipeline.consumed + 500
        pipeline.until("it works on", lambda: pipeline.consumed > goal)
        sent = load.stop()
        ends = end_offsets(kafka.bootstrap, source)
        pipeline.until(
            "all is committed", lambda: committed(kafka.bootstrap, topic_name, source) == ends
        )
        assert len(members(kafka.bootstrap, topic_name)) == 1  # the old ones have left
        summary = pipeline.stop()
    assert_adds_up(summary)
    ids = [output.id for _, output in decisions(kafka.bootstrap, sink)]
    assert len(set(ids)) == sent
    assert len(ids) == sent  # each was finished and stored before the consumer was given up


def test_what_waits_is_known_past_the_consumer(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, _, config = set_up(kafka, topic_name, tmp_path)
    with InThread(config, stop_after=100) as pipeline:
        pipeline.ready()
        assert on_its_loop(pipeline, "unread") == 0
        fill(kafka.bootstrap, source, TICK.messages(99))
        pipeline.until("they are decided", lambda: pipeline.consumed == 99)
        pipeline.until("their positions are known", lambda: on_its_loop(pipeline, "unread") == 0)
        pipeline.call(source_of(pipeline).pause)
        fill(kafka.bootstrap, source, TICK.messages(50))
        pipeline.until("the others wait", lambda: on_its_loop(pipeline, "unread") == 50)
        pipeline.call(source_of(pipeline).resume)

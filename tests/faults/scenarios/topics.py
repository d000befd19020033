"""What happens to topics while a pipeline works on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.scenario import scenario
from tests.support import wait_until
from tests.support.kafka import (
    add_partitions,
    delete_group,
    delete_records,
    delete_topics,
    end_offsets,
    has_topic,
)
from tests.support.tcp_proxy import PRODUCE

if TYPE_CHECKING:
    from tests.faults.stage import Stage

QUICK_METADATA = {"source": {"kafka": {"client": {"metadata_max_age_ms": 1_000}}}}


@scenario(
    "the sink is slow: each batch of decisions takes a second to be taken",
    "intake waits for it; nothing lost or repeated",
)
def slow_sink(stage: Stage) -> None:
    stage.load()
    stage.start()
    stage.flows()
    for proxy in stage.cluster.proxies:
        proxy.change(delay_s=0.5, only_api=PRODUCE)
    stage.pause(8.0)
    for proxy in stage.cluster.proxies:
        proxy.mend()
    stage.flows()
    found = stage.finish(repeats_max=0)
    stage.say(str(found))


@scenario(
    "the decisions topic is deleted, and made anew",
    "the process waits for it, or ends with a line that names it; no event whose decision was not acknowledged is committed",
    shares=True,
)
def topic_deleted(stage: Stage) -> None:
    """What had been decided before is gone with the topic: its records are kept aside for the audit."""
    stage.load()
    worker = stage.start()
    stage.flows()
    stage.stop_load()
    stage.settle()
    done = end_offsets(stage.direct, stage.source)
    delete_topics(stage.direct, stage.sink)
    wait_until("it is gone", lambda: not has_topic(stage.direct, stage.sink))
    stage.load()
    stage.pause(6.0)
    ended = not worker.running
    stage.make_sink()
    if ended:
        assert stage.sink in worker.log_tail(), worker.log_tail()
        assert worker.process.returncode == 1
        stage.start()
    stage.flows()
    found = stage.finish(repeats_max=0 if not ended else None, start=done)
    stage.say(f"the process {'ended' if ended else 'waited'}; since then {found}")


@scenario(
    "records are deleted before they were read (retention)",
    "counted as skipped and said in the log; all others are decided",
    shares=True,
)
def offset_out_of_range(stage: Stage) -> None:
    stage.load()
    worker = stage.start()
    stage.flows()
    stage.end(worker)
    before = end_offsets(stage.direct, stage.source)
    wait_until(
        "records that nobody reads",
        lambda: (
            sum(end_offsets(stage.direct, stage.source).values()) > sum(before.values()) + 1_000
        ),
    )
    gone = end_offsets(stage.direct, stage.source)
    delete_records(stage.direct, stage.source, gone)
    worker = stage.start()
    stage.flows()
    found = stage.finish(start=gone)
    assert "records skipped" in worker.log_tail(20_000), worker.log_tail(20_000)
    skipped = sum(gone.values()) - sum(before.values())
    stage.say(f"at most {skipped:,} records deleted unread; behind them {found}")


@scenario(
    "the input topic gets more partitions while it is read",
    "the new ones are read from their first record; nothing lost or repeated",
    shares=True,
)
def more_partitions(stage: Stage) -> None:
    stage.load()
    stage.start(stage.config(**QUICK_METADATA))
    stage.flows()
    more = 2 * len(end_offsets(stage.direct, stage.source))
    add_partitions(stage.direct, stage.source, more)
    stage.stop_load()
    stage.load()  # a producer that is started anew knows of them
    stage.flows(2_000)
    ends = end_offsets(stage.direct, stage.source)
    assert len(ends) == more
    assert min(ends.values()) > 0, ends
    found = stage.finish()
    stage.say(f"{more // 2} partitions became {more}; {found}")


@scenario(
    "the group's committed offsets are deleted while nobody reads",
    "with auto_offset_reset: earliest all is decided again; nothing lost, repeats say the same",
    shares=True,
)
def offsets_deleted(stage: Stage) -> None:
    stage.load()
    worker = stage.start()
    stage.flows()
    stage.end(worker)
    delete_group(stage.direct, stage.group)
    stage.start()
    stage.flows()
    stage.say(str(stage.finish()))

"""What the scheduler decides, carried out on a real broker: lanes, variants, and jumps over a backlog."""

from __future__ import annotations

import time
import urllib.request
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.pipelines import (
    TICK,
    InThread,
    Load,
    assert_adds_up,
    decisions,
    report,
    set_up,
    size_of,
)
from tests.support.kafka import Message, committed, end_offsets, fill

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

NS_PER_S = 1_000_000_000
MS_PER_S = 1_000
HIGH_EVERY = 5
ALONE = bool(size_of("STREAMPROC_ALONE", 0))
"""Whether nothing else runs on the machine: what is promised of time is only then to be had."""


def simulated(fixed: str, per_event: str) -> dict[str, Any]:
    return {"simulated": {"fixed": fixed, "per_event": per_event}}


def with_symbols(count: int) -> Iterator[Message]:
    """The tick events with a symbol: every fifth is of BTC, and no key is of both."""
    for number, message in enumerate(TICK.messages(count)):
        symbol = "BTC" if number % HIGH_EVERY == 0 else "ETH"
        value = (message.value or b"{")[1:]
        key = f"{symbol}{number % 7}".encode()
        yield Message(b'{"symbol":"%b",' % symbol.encode() + value, key)


def by_lane(address: str | None, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """A metric's samples by lane and further labels, off the page that Prometheus reads."""
    url = f"http://{address}/metrics"
    with urllib.request.urlopen(url, timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    found: Counter[tuple[str, ...]] = Counter()
    for sample in samples:
        found[sample.labels["lane"], *(sample.labels[label] for label in labels)] += sample.value
    return dict(found)


def test_a_lane_in_front_keeps_its_promise_under_overload(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    """At most 500 events/s, 1,000 are offered, every fifth in the lane in front."""
    source, sink, config = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=2,
        source={"kafka": {"fetch_max_wait": "5ms"}},
        codec={"json": {"fields": {"symbol": "str", "features": "float32[16]"}}},
        deadline={"budget": "300ms"},
        lanes=[{"name": "high", "when": "symbol == 'BTC'", "share": 0.5, "budget": "400ms"}],
        model={"executor": simulated("5ms", "1900us")},
        telemetry={"metrics": {"listen": "127.0.0.1:0"}},
    )
    events = 5_000
    with InThread(config) as pipeline:
        pipeline.ready()
        with Load(
            kafka.bootstrap, source, rate=1_000, events=events, messages=with_symbols
        ) as load:
            load.wait()
        pipeline.until("all events", lambda: pipeline.consumed == events)
        outcomes = by_lane(pipeline.address, "streamproc_outcomes_total", "outcome")
        depths = by_lane(pipeline.address, "streamproc_queue_depth")
        summary = pipeline.stop()
    assert_adds_up(summary)
    assert sum(outcomes.values()) == events
    assert depths == {("high",): 0, ("default",): 0}
    lanes = summary["lanes"]
    assert {(lane, word) for lane, words in lanes.items() for word, n in words.items() if n} == {
        key for key, n in outcomes.items() if n
    }
    published = Counter(
        (d.deadline_ns - d.event_time_ns) // 1_000_000 for _, d in decisions(kafka.bootstrap, sink)
    )
    report(
        "lanes",
        lanes={lane: {word: n for word, n in words.items() if n} for lane, words in lanes.items()},
        published_by_budget_ms=dict(published),
    )
    assert published.keys() == {300, 400}
    high = lanes["high"]["on_time"] / (events / HIGH_EVERY)
    others = lanes["default"]["on_time"] / (events - events / HIGH_EVERY)
    assert high > (0.99 if ALONE else 2 * others)
    assert summary["outcomes"]["shed"] > 0.3 * events


def test_under_load_a_cheaper_variant_decides_and_then_the_best_again(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    """The best can answer 900 events/s: 2,000 are offered for 3 s, and then 100."""
    source, sink, config = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=2,
        source={"kafka": {"fetch_max_wait": "5ms"}},
        deadline={"budget": "200ms"},
        batching={"max_size": 64},
        model={
            "path": None,
            "variants": [
                {"name": "full", "path": "tick.onnx", "executor": simulated("5ms", "1ms")},
                {
                    "name": "small",
                    "path": "tick.onnx",
                    "quality": 0.9,
                    "executor": simulated("1ms", "100us"),
                },
            ],
        },
    )
    with InThread(config) as pipeline:
        pipeline.ready()
        with Load(kafka.bootstrap, source, rate=2_000, events=6_000) as load:
            load.wait()
        calm_ns, before = time.time_ns(), _on_time(pipeline)
        with Load(kafka.bootstrap, source, rate=100) as load:
            pipeline.until("the best again", lambda: _on_time(pipeline) > before + 100, 60)
            sent = 6_000 + load.stop()
        pipeline.until("all events", lambda: pipeline.consumed == sent)
        summary = pipeline.stop()
    assert_adds_up(summary)
    made = sorted((d for _, d in decisions(kafka.bootstrap, sink)), key=lambda d: d.decided_ns)
    assert {(d.outcome, d.model["variant"]) for d in made} <= {
        ("on_time", "full"),
        ("degraded", "small"),
        ("late", "full"),
        ("late", "small"),
    }
    good = [d for d in made if d.outcome in ("on_time", "degraded")]
    turns = sum(a.model["variant"] != b.model["variant"] for a, b in pairwise(good))
    last_ns = max((d.decided_ns for d in good if d.outcome == "degraded"), default=0)
    report(
        "variants",
        outcomes={word: n for word, n in summary["outcomes"].items() if n},
        turns=turns,
        degraded_for_ms_after_the_load=(last_ns - calm_ns) / 1e6,
    )
    assert summary["outcomes"]["degraded"] > 1_000
    if ALONE:
        assert len(good) > 0.95 * sent
        assert last_ns < calm_ns + 2 * NS_PER_S
        assert turns <= 2


def test_a_backlog_older_than_the_budget_is_jumped_over(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    source, sink, config = set_up(
        kafka,
        topic_name,
        tmp_path,
        partitions=2,
        source={"kafka": {"fetch_max_wait": "5ms"}},
        deadline={"budget": "200ms"},
        shed=["expired", "planner", "skip_ahead"],
        model={"executor": simulated("1ms", "100us")},
    )
    old_ms = time.time_ns() // 1_000_000 - 60 * MS_PER_S
    backlog = 200_000
    fill(
        kafka.bootstrap,
        source,
        (
            m._replace(timestamp_ms=old_ms + n * 50 * MS_PER_S // backlog)
            for n, m in enumerate(TICK.messages(backlog))
        ),
    )
    with Load(kafka.bootstrap, source, rate=500) as load, InThread(config) as pipeline:
        pipeline.ready()
        pipeline.until("its first fetch", lambda: _fetched(pipeline))
        fetched_s = time.monotonic()
        pipeline.until("a decision in time", lambda: _on_time(pipeline) > 10)
        took_s = time.monotonic() - fetched_s
        before = _on_time(pipeline)
        pipeline.until("a second's more", lambda: _on_time(pipeline) > before + 500)
        sent = load.stop()
        end = sum(end_offsets(kafka.bootstrap, source).values())
        pipeline.until("all events", lambda: _fetched(pipeline) + _skipped(pipeline) == end)
        summary = pipeline.stop()
    assert_adds_up(summary)
    assert sent + backlog == end
    assert summary["consumed"] + summary["handed_back"] + summary["skipped"] == end
    assert sum(committed(kafka.bootstrap, topic_name, source).values()) == end
    report(
        "skip_ahead",
        backlog=backlog,
        skipped=summary["skipped"],
        first_in_time_after_ms=round(took_s * 1e3, 1),
        outcomes={word: n for word, n in summary["outcomes"].items() if n},
    )
    assert summary["skipped"] > 0.8 * backlog
    assert took_s < (0.5 if ALONE else 5.0)
    offsets = [(r.partition, d.id) for r, d in decisions(kafka.bootstrap, sink)]
    assert len(set(offsets)) == len(offsets)


def _accounts(pipeline: InThread) -> Any:
    accounts = pipeline.service.accounts() if pipeline.service is not None else None
    assert accounts is not None
    return accounts


def _fetched(pipeline: InThread) -> int:
    return int(_accounts(pipeline).fetched)


def _skipped(pipeline: InThread) -> int:
    return int(_accounts(pipeline).skipped)


def _on_time(pipeline: InThread) -> int:
    summary = pipeline.summary()
    return summary["outcomes"]["on_time"] if summary else 0

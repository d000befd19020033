"""A service that records: what went in and out of it, and nothing else, is in its files."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from streamproc.connectors.capture import CaptureReader, Record, Redact
from streamproc.core import ConfigError, Outcome, SystemClock
from streamproc.executors import Canary, Rollback, Rollout, Shadow
from streamproc.replay.diff import difference, tried_sides
from streamproc.runtime import Service
from streamproc.telemetry import Summary
from streamproc.testing import FakeExecutor, MemoryBroker, MemorySink, MemorySource
from tests.engine.pipelines import pipeline, within

PATIENCE_S = 120


async def run(broker: MemoryBroker, clock: SystemClock, **changes: Any) -> Summary:
    """Run a pipeline over what is in the broker."""
    config = pipeline(**({"deadline": within("10m")} | changes))
    parts = config.parts(
        source=MemorySource(broker, ["ticks"], group="p", ends=True),
        sink=MemorySink(broker),
        executor=FakeExecutor(),
        clock=clock,
    )
    async with asyncio.timeout(PATIENCE_S):
        return await Service(config, parts).run()


async def recorded(folder: Path, **changes: Any) -> tuple[MemoryBroker, CaptureReader, Summary]:
    clock = SystemClock()
    broker = MemoryBroker({"ticks": 2, "decisions": 2, "p.dlq": 2}, clock=clock)
    for n in range(200):
        broker.produce("ticks", {"x": n}, key=f"k{n % 5}".encode(), partition=n % 2)
    broker.produce("ticks", b"{", partition=0)
    record = changes.pop("record", Record(str(folder)))
    summary = await run(broker, clock, record=record, **changes)
    return broker, CaptureReader(folder), summary


def ids(columns: Any) -> set[tuple[str, int, int]]:
    return {(*columns.source, offset) for offset in columns.offset.tolist()}


async def test_all_that_goes_in_and_out_is_recorded(tmp_path: Path) -> None:
    broker, capture, summary = await recorded(tmp_path)
    assert summary["consumed"] == 201
    assert capture.summary.truncated is None
    assert capture.summary.gaps == ()

    read = [
        (b.source.partition, o, k, v)
        for b in capture.records()
        for o, k, v in zip(b.offset.tolist(), b.key, b.value, strict=True)
    ]
    produced = broker.records("ticks")
    assert sorted(read, key=lambda r: r[:2]) == [
        (r.partition, r.offset, r.key, r.value) for r in produced
    ]

    decisions = list(capture.decisions())
    sent = [*broker.records("decisions"), *broker.records("p.dlq")]
    assert sorted((d.topic, d.value or b"") for d in decisions) == sorted(
        (r.topic, r.value or b"") for r in sent
    )
    for decision in decisions:
        if decision.topic == "decisions":
            said: dict[str, Any] = msgspec.json.decode(decision.value or b"")
            assert (decision.id, decision.outcome.word) == (said["id"], said["outcome"])
            assert decision.variant == said["model"]["variant"]
        else:
            assert (decision.outcome, decision.reason) == (Outcome.DEAD_LETTER, "undecodable")


async def test_every_event_has_one_outcome_with_its_times(tmp_path: Path) -> None:
    _, capture, summary = await recorded(tmp_path)
    outcomes = list(capture.outcomes())
    everything = [found for columns in outcomes for found in ids(columns)]
    assert len(everything) == len(set(everything)) == summary["consumed"]
    counted = np.bincount(np.concatenate([c.outcome for c in outcomes]), minlength=7)
    assert {o.word: counted[o] for o in Outcome} == summary["outcomes"]
    for columns in outcomes:
        if columns.variant is None:
            assert columns.reason == "undecodable"
            assert columns.arrival_ns is not None
            continue
        stages = [columns.arrival_ns, columns.admitted_ns, columns.started_ns, columns.decided_ns]
        stages += [columns.handed_ns, columns.acknowledged_ns]
        for before, after in pairwise(stages):
            assert np.all(np.asarray(before) <= np.asarray(after))
        assert columns.deadline_ns is not None
        assert columns.event_time_ns is not None


async def test_the_file_says_what_made_it(tmp_path: Path) -> None:
    _, capture, _ = await recorded(tmp_path)
    told = capture.metadata
    assert (told.pipeline, told.recorded_by, told.lanes) == ("p", "service", ("default",))
    assert "topics:\n    - ticks" in told.configuration
    assert [model.variant for model in told.models] == ["full"]
    assert {"machine", "cores", "threads", "provider", "numpy"} <= told.machine.keys()
    (name,) = [path.name for path in capture.summary.files]
    assert name.startswith("p-2")
    assert name.endswith(f"-{told.recording}-0001.mcap")


async def test_secrets_and_keys_do_not_stand_in_it(tmp_path: Path) -> None:
    redact = Redact("0123456789abcdef", keys=True, drop=("x",))
    _, capture, _ = await recorded(tmp_path, record=Record(str(tmp_path), redact=redact))
    keys = {key for batch in capture.records() for key in batch.key}
    assert len(keys) == 5 + 1  # and of the dead letter none
    assert keys == {decision.key for decision in capture.decisions()}
    assert b'"k1"' not in b"".join(d.value or b"" for d in capture.decisions())
    assert {v for b in capture.records() for v in b.value} == {
        b"{}",
        b"redacted: 1 bytes that are no JSON",
    }


async def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"record\.path: cannot make the folder"):
        await recorded(tmp_path / "file" / "folder")


def one_more(inputs: Any) -> Any:
    return inputs["input"] + 1.0


async def test_what_shadow_and_canary_decided_otherwise_is_recorded(tmp_path: Path) -> None:
    clock = SystemClock()
    broker = MemoryBroker({"ticks": 2, "decisions": 2, "p.dlq": 2}, clock=clock)
    for n in range(400):
        broker.produce("ticks", {"x": n}, key=f"k{n % 40}".encode(), partition=n % 2)
    lenient = Rollback(disagreement=0.9, min_events=10_000)
    rollout = Rollout(
        canary=Canary(name="v2", path="c.onnx", share=0.5, rollback=lenient),
        shadow=Shadow(name="v3", path="s.onnx", share=1.0),
    )
    config = pipeline(deadline=within("10m"), rollout=rollout, record=Record(str(tmp_path)))
    source = MemorySource(broker, ["ticks"], group="p")
    executors = [
        FakeExecutor(function, variant=name)
        for name, function in (
            ("full", lambda x: x["input"]), ("v2", one_more), ("reference", lambda x: x["input"]), ("v3", one_more)
        )
    ]  # fmt: skip
    parts = config.parts(source=source, sink=MemorySink(broker), executor=executors, clock=clock)
    service = Service(config, parts)
    task = asyncio.create_task(service.run())

    def compared() -> dict[str, int]:
        accounts = service.accounts()
        assert accounts is not None
        return {name: one.compared for name, one in accounts.rollout.comparisons.items()}

    async with asyncio.timeout(PATIENCE_S):
        while service.accounts() is None or sum(compared().values()) < 500:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    service.stop()
    await task
    counted = compared()
    capture = CaptureReader(tmp_path)
    published = {
        one.id: msgspec.json.decode(one.value or b"")["output"] for one in capture.decisions()
    }
    told: dict[str, int] = {}
    for one in capture.comparisons():
        told[one.candidate] = told.get(one.candidate, 0) + len(one.differs)
        assert one.published == (one.candidate == "v2")
        assert one.model == "full" or one.candidate == "v3"
        sent = one.by_candidate if one.published else one.by_model
        outputs = [msgspec.json.decode(value)["output"] for value in sent]
        topic, partition = one.source
        ids = [f"{topic}/{partition}/{offset}" for offset in one.offset.tolist()]
        assert [published[id_] for id_ in ids] == outputs
        if one.published:
            assert one.differs.all()
    assert told == counted
    first, second = tried_sides("day.mcap", capture, "v2")
    found = difference(first, second)
    assert found.compared == counted["v2"]
    assert found.changed == found.compared

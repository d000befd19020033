"""What lookups found live, they find again: in a replay, by the schedule log, and in training data, whatever came when."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typing_extensions import override

from streamproc.codecs import JsonCodec
from streamproc.connectors.capture import CaptureMetadata, CaptureReader, CaptureWriter
from streamproc.connectors.playback import PlayedSource
from streamproc.core import (
    ConfigError,
    Duration,
    RecordBatch,
    SystemClock,
    TableRows,
    VirtualClock,
)
from streamproc.engine import EventTime, Reorder, ScheduleLog
from streamproc.features import TableFeed
from streamproc.features.operators import Lookup
from streamproc.replay.playback import (
    Playback,
    TableHistory,
    answering,
    arrivals,
    replay_recorded,
    replay_virtual,
    schedule_of,
    table_history,
)
from streamproc.replay.training import features_of, look_ahead
from streamproc.runtime import Assembly, Pipeline, Service, fed_tables
from streamproc.testing import FakeExecutor, MemoryBroker, MemorySink, MemorySource
from tests.engine.pipelines import pipeline, within
from tests.replay.playback.recordings import MS, START_NS, batch, machine
from tests.replay.training.makings import Seen
from tests.support.tables import all_of, rows_of

KEYS = [f"u{n}" for n in range(6)]
EVENTS = 400


def looking(**changes: Any) -> Pipeline:
    lookup = Lookup(field="user", topic="profiles", fields=("weight",), max_keys=4, fill=-1.0)
    parts: dict[str, Any] = {
        "codec": JsonCodec(fields={"x": "float64", "user": "str", "ts": "int64"}),
        "features": ["x", lookup],
        "deadline": within("10m"),
        "event_time": EventTime(field="ts", unit="ms"),
    }
    return pipeline(**(parts | changes))


class Changing(MemorySource):
    """While it is polled, a table changes: before the records arrive, and between their arrival and their intake."""

    feed: TableFeed
    told: list[RecordBatch | TableRows]
    rng: np.random.Generator
    clock: SystemClock

    def change(self) -> None:
        end = sum(isinstance(one, TableRows) for one in self.told)
        some: list[tuple[str, float | None]] = [
            (str(key), None if self.rng.random() < 0.3 else float(self.rng.integers(1000)))
            for key in self.rng.choice(KEYS, int(self.rng.integers(1, 4)))
        ]
        rows = rows_of(some, self.clock.now_ns(), end=end, keys_max=4)
        self.feed.add(rows)
        self.told.append(rows)

    @override
    async def poll(self, *, timeout_ns: int, records_max: int) -> list[RecordBatch]:
        for _ in range(self.rng.integers(3)):
            self.change()
        few = int(self.rng.integers(1, 40))
        found = await super().poll(timeout_ns=timeout_ns, records_max=min(records_max, few))
        for _ in range(self.rng.integers(3)):
            self.change()
        self.told += found
        return found


async def live(config: Pipeline, recording: Path, seed: int) -> Seen:
    """Run a service whose table changes all the time, and record what it took in."""
    clock, rng = SystemClock(), np.random.default_rng(seed)
    broker = MemoryBroker({"ticks": 2, "decisions": 2, "p.dlq": 2}, clock=clock)
    now_ms = clock.now_ns() // MS
    for n in range(EVENTS):
        event = {"x": float(n), "user": str(rng.choice(KEYS)), "ts": now_ms + n // 8}
        broker.produce("ticks", event, partition=n % 2)
    source = Changing(broker, ["ticks"], group="p", ends=True)
    source.told, source.rng, source.clock = [], rng, clock
    entries: list[bytes] = []
    parts = config.parts(source=source, sink=MemorySink(broker), clock=clock)
    schedule = ScheduleLog(lambda data, _: entries.append(data))
    service = Service(config, replace(parts, schedule=schedule))
    seen = Seen()

    def begin(assembly: Assembly) -> None:
        seen.attach(assembly)
        assert assembly.program is not None
        source.feed = TableFeed(fed_tables(config, assembly.program.tables))
        first = all_of({"u1": 1.0, "u2": 2.0}, clock.now_ns(), end=0)
        source.feed.add(first)
        source.told.append(first)
        assembly.engine.tables = source.feed

    service.on_assembled = begin
    async with asyncio.timeout(10):
        await service.run()
    with CaptureWriter(recording, CaptureMetadata(recording="r"), clock=clock) as writer:
        for one in source.told:
            if isinstance(one, TableRows):
                writer.table(one)
            else:
                writer.records(one)
        for data in entries:
            writer.schedule(data, clock.now_ns())
    return seen


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ordered", [False, True])
def test_live_replayed_and_exported_lookups_are_the_same_bytes(
    tmp_path: Path, seed: int, ordered: bool
) -> None:
    config = looking()
    if ordered:
        config = looking(reorder=Reorder(slack=Duration.parse("5ms")))
    seen = asyncio.run(live(config, tmp_path / "day.mcap", seed))
    assert len(seen.of) == EVENTS
    found = {np.frombuffer(value, np.float32)[1] for value in seen.of.values()}
    assert len(found) > 10  # the table changed while events came

    capture = CaptureReader(tmp_path / "day.mcap")
    tables = table_history(config, capture)
    virtual = Seen()
    features_of(config, capture.records, virtual.take, tables)
    if not ordered:
        assert virtual.of == seen.of

    again = Seen()
    replay_recorded(
        config,
        capture.records(),
        schedule_of(capture),
        executors=answering(config),
        attach=again.attach,
        tables=tables,
    )
    assert again.of == seen.of
    assert look_ahead(config, capture.records, records_max=EVENTS, tables=tables) == []


def history_of(*rows: TableRows) -> TableHistory:
    return TableHistory(lambda: rows, {"lookup": "lookup"})


def value(user: str) -> bytes:
    return b'{"x": 1, "user": "%s", "ts": %d}' % (user.encode(), START_NS // MS)


def test_each_lap_begins_with_the_table_of_the_beginning() -> None:
    config = looking()
    history = history_of(
        all_of({"a": 1.0}, START_NS - 5, end=1), rows_of({"a": 2.0}, START_NS + 5 * MS, end=2)
    )
    batches = [batch([n], 10 * n, values=[value("a")]) for n in range(3)]
    seen: list[float] = []

    def take(rows: Any) -> None:
        seen.extend(rows.events.inputs["input"][:, 1].tolist())

    class Made:
        def made(self, _: Any, events: Any) -> None:
            seen.extend(events.inputs["input"][:, 1].tolist())

    features_of(config, lambda: batches, take, history)
    assert seen == [1.0, 2.0, 2.0]
    seen.clear()

    replay_virtual(
        config,
        arrivals(lambda: batches, Playback(laps=2, load=2.0, speed=3.0)),
        executors=[FakeExecutor()],
        machine=machine(),
        attach=lambda assembly, _: assembly.feature_taps.append(Made()),
        tables=history,
    )
    assert seen == [1.0, 1.0, *[2.0] * 4] * 2


async def test_at_the_wall_clocks_pace_one_poll_gives_what_sees_one_table() -> None:
    clock = VirtualClock(START_NS)
    batches = [batch([n], n, values=[value("a")]) for n in range(4)]
    source = PlayedSource(arrivals(lambda: batches, Playback()), clock=clock, unbounded=True)

    class Tables:
        at: tuple[int, int] | None = None

        def changes_at(self, arrival_ns: int, lap: int) -> bool:
            return lap == 0 and arrival_ns >= START_NS + 2 * MS > (self.at or (0, 0))[0]

    class Listener:
        def assigned(self, *_: Any) -> None: ...

    source.tables = tables = Tables()
    await source.start(Listener())  # type: ignore[arg-type]
    polled = [await source.poll(timeout_ns=1, records_max=100) for _ in range(2)]
    assert [[int(b.offset[0]) for b in one] for one in polled] == [[0, 1], [2, 3]]
    assert tables.at == (START_NS + 3 * MS, 0)


def write(path: Path, *rows: TableRows) -> CaptureReader:
    with CaptureWriter(path, CaptureMetadata(), clock=VirtualClock(START_NS)) as writer:
        for one in rows:
            writer.table(one)
        writer.records(batch([0], 1, values=[value("a")]))
    return CaptureReader(path)


def test_a_recording_without_the_table_is_told_from_one_with_it(tmp_path: Path) -> None:
    config = looking()
    without = table_history(config, write(tmp_path / "a.mcap"))
    assert without is not None
    assert without.missing is not None
    assert "what lookups found in profiles (weight)" in without.missing
    there = table_history(config, write(tmp_path / "b.mcap", all_of({"a": 1.0}, START_NS, end=1)))
    assert there is not None
    assert there.missing is None
    assert table_history(pipeline(), write(tmp_path / "c.mcap")) is None
    with pytest.raises(ConfigError, match="give the replay what they held"):
        features_of(config, lambda: [batch([0], 1, values=[value("a")])], lambda _: None)


def test_a_lookup_of_another_name_finds_the_topics_table(tmp_path: Path) -> None:
    capture = write(tmp_path / "a.mcap", all_of({"a": 7.0}, START_NS, end=1))
    other = replace(looking().features[1], as_="profile")
    config = looking(features=["x", other])
    history = table_history(config, capture)
    assert history is not None
    assert history.recorded_as == {"profile": "lookup"}
    seen: list[float] = []
    features_of(
        config,
        capture.records,
        lambda rows: seen.extend(rows.events.inputs["input"][:, 1].tolist()),
        history,
    )
    assert seen == [7.0]

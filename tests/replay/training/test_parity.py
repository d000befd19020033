"""Live, replayed and exported features are the same, byte for byte; leaks of the future are found."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from streamproc.connectors.capture import CaptureReader
from streamproc.core import ConfigError
from streamproc.replay.playback import answering, replay_recorded
from streamproc.replay.playback.of_capture import schedule_of
from streamproc.replay.training import (
    Exported,
    Joining,
    Labels,
    TrainingJob,
    export_training,
    features_of,
    read_labels,
)
from tests.replay.training.makings import (
    EVENTS,
    Seen,
    averaging,
    honest,
    live,
    of,
    peeking,
    records_of,
)

MS = 1_000_000


class Day:
    """A live run: its features and its recording."""

    def __init__(self, recording: Path) -> None:
        self.recording = recording
        self.config = of(honest)
        self.seen = asyncio.run(live(self.config, recording))
        self.times = {
            f"{b.source.topic}/{b.source.partition}/{offset}": json.loads(value or b"")["ts"]
            for b in records_of(recording)()
            for offset, value in zip(b.offset.tolist(), b.value, strict=True)
        }

    def export(self, out: Path, function: Callable[..., Any] = honest, **job: Any) -> Exported:
        """Make training data of it."""
        return export_training(
            TrainingJob(
                config=of(function),
                config_text="name: p",
                records=records_of(self.recording),
                recording="r",
                out=out,
                **job,
            )
        )


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return Day(tmp_path_factory.mktemp("day") / "day.mcap")


def table(**columns: Any) -> Any:
    return pa.table(columns)


def test_live_replayed_and_exported_features_are_the_same_bytes(day: Day, tmp_path: Path) -> None:
    assert len(day.seen.of) == EVENTS

    virtual = Seen()
    features_of(day.config, records_of(day.recording), virtual.take)
    assert virtual.of == day.seen.of

    again = Seen()
    capture = CaptureReader(day.recording)
    replay_recorded(
        day.config,
        capture.records(),
        schedule_of(capture),
        executors=answering(day.config),
        attach=again.attach,
    )
    assert again.of == day.seen.of

    exported = day.export(tmp_path / "f.parquet")
    assert exported.leaks == ()
    found = pq.read_table(tmp_path / "f.parquet")
    assert found.num_rows == exported.events == EVENTS
    (name,) = [name for name in found.column_names if name.startswith("feature.")]
    flat = found.column(name).combine_chunks().flatten().to_numpy()
    matrix = flat.reshape(EVENTS, -1)
    rows = dict(zip(found.column("id").to_pylist(), matrix, strict=True))
    assert {name: row.tobytes() for name, row in rows.items()} == day.seen.of
    said = json.loads(found.schema.metadata[b"streamproc"])
    assert said["config"].startswith("sha256:")
    assert said["version"]
    assert not (tmp_path / "f.parquet.part").exists()


@pytest.mark.parametrize("function", [peeking, averaging])
def test_a_feature_that_looks_at_later_events_is_found(
    day: Day, tmp_path: Path, function: Callable[..., Any]
) -> None:
    exported = day.export(tmp_path / "f.parquet", function)
    (leak,) = exported.leaks
    assert "looks at events that come after it" in str(leak)
    assert leak.events > EVENTS / 2
    assert list(tmp_path.iterdir()) == []


def test_labels_are_found_by_id_and_one_that_was_known_before_its_event_is_a_leak(
    day: Day, tmp_path: Path
) -> None:
    ids = sorted(day.times)[:100]
    later = [day.times[name] + 50 for name in ids]
    good = table(id=ids, time=later, up=[n % 2 for n in range(100)])
    exported = day.export(tmp_path / "a.parquet", labels=Labels(good, Joining(unit_ns=MS), "l"))
    assert (exported.leaks, exported.labelled) == ((), 100)
    found = pq.read_table(tmp_path / "a.parquet", columns=["id", "label.up"]).to_pylist()
    labels = {row["id"]: row["label.up"] for row in found}
    assert [labels[name] for name in ids] == [n % 2 for n in range(100)]
    assert sum(label is None for label in labels.values()) == EVENTS - 100

    planted = table(id=ids, time=[later[0], day.times[ids[1]] - 1, *later[2:]], up=[0.5] * 100)
    exported = day.export(tmp_path / "b.parquet", labels=Labels(planted, Joining(unit_ns=MS), "l"))
    (leak,) = exported.leaks
    assert leak.events == 1
    assert leak.first == ids[1]
    assert "known before its event" in leak.why
    early = Joining(unit_ns=MS, horizon_ns=60 * MS)
    exported = day.export(tmp_path / "c.parquet", labels=Labels(good, early, "l"))
    assert exported.leaks[0].events == 100
    assert not (tmp_path / "b.parquet").exists()


def test_labels_by_key_are_the_first_from_the_horizon_on(day: Day, tmp_path: Path) -> None:
    start = min(day.times.values())
    rows = [
        {"key": f"k{k}", "time": start + 10 * step, "price": float(100 * k + step)}
        for k in range(4)
        for step in range(-3, 200)
    ]
    path = tmp_path / "labels.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    joining = Joining(unit_ns=MS, horizon_ns=25 * MS, within_ns=20 * MS)
    exported = day.export(tmp_path / "f.parquet", labels=read_labels(path, joining))
    assert exported.leaks == ()
    columns = ["id", "key", "label.price"]
    for row in pq.read_table(tmp_path / "f.parquet", columns=columns).to_pylist():
        mine = [r for r in rows if r["key"].encode() == row["key"] and r["time"] >= day.times[row["id"]] + 25]  # fmt: skip
        first = min(mine, key=lambda r: r["time"], default=None)
        assert row["label.price"] == (None if first is None else first["price"])


def test_a_feature_that_is_the_label_is_found(day: Day, tmp_path: Path) -> None:
    seen = {name: np.frombuffer(raw, np.float64)[0] for name, raw in day.seen.of.items()}
    labels = Labels(table(id=list(seen), target=list(seen.values())), Joining(), "l")
    exported = day.export(tmp_path / "f.parquet", labels=labels)
    (leak,) = exported.leaks
    assert "[0]" in leak.what
    assert "is the label target itself" in leak.why


def test_what_was_joined_must_have_been_known(day: Day, tmp_path: Path) -> None:
    fine = day.export(tmp_path / "a.parquet", known_at={"quote_ts": MS})
    assert fine.leaks == ()
    leaking = day.export(tmp_path / "b.parquet", known_at={"quote_ts": MS + 1_000})
    assert "as-of join took a partner out of the future" in str(leaking.leaks[0])
    with pytest.raises(ConfigError, match="no such field"):
        day.export(tmp_path / "c.parquet", known_at={"nothing": 1})


def test_labels_that_cannot_be_joined(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no column 'key'"):
        Labels(table(time=[1], y=[2]), Joining(), "labels.csv")
    with pytest.raises(ConfigError, match="twice"):
        Labels(table(id=["a", "a"], y=[2, 3]), Joining(), "labels.csv")
    with pytest.raises(ConfigError, match="no instants"):
        Labels(table(id=["a"], time=["never"], y=[2]), Joining(), "labels.csv")
    with pytest.raises(ConfigError, match=r"must end with \.csv"):
        read_labels(tmp_path / "labels.txt", Joining())

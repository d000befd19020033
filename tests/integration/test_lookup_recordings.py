"""A topic that is looked up changes while events run: what each event found is found again, in replays and in training data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import yaml

from streamproc.cli import main
from streamproc.config import load
from streamproc.connectors.capture import CaptureReader
from streamproc.replay.playback import answering, replay_recorded, schedule_of, table_history
from streamproc.replay.training import features_of
from streamproc.runtime import Pipeline
from tests.integration.pipelines import InThread
from tests.replay.training.makings import Seen
from tests.support.kafka import Message, create_topics, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    from streamproc.core import Columns, TableRows
    from tests.support.kafka import KafkaBroker

ROUNDS, EVENTS, USERS = 12, 40, 8


def echo(inputs: Columns) -> Columns:
    return {"output": inputs["input"]}


def test_what_was_found_live_is_found_again(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    ticks, profiles, out = (f"{topic_name}-{what}" for what in ("ticks", "profiles", "out"))
    create_topics(kafka.bootstrap, ticks, profiles, out, partitions=2)
    rng = np.random.default_rng(1)

    def change(number: int) -> None:
        """Some get another weight, some are taken out."""
        users = rng.choice(USERS, 4, replace=False).tolist()
        values = [msgspec.json.encode({"weight": number + user / 16}) for user in users[1:]]
        some = [
            Message(value, b"u%d" % user)
            for value, user in zip([None, *values], users, strict=True)
        ]
        fill(kafka.bootstrap, profiles, some)

    def events() -> list[Message]:
        users = rng.integers(USERS, size=EVENTS).tolist()
        return [
            Message(msgspec.json.encode({"x": n, "user": f"u{u}"})) for n, u in enumerate(users)
        ]

    lookup = {"field": "user", "topic": profiles, "fields": ["weight"], "fill": -1}
    config: dict[str, Any] = {
        "name": topic_name,
        "source": {
            "kafka": {
                "bootstrap_servers": kafka.bootstrap,
                "topics": [ticks],
                "auto_offset_reset": "earliest",
            }
        },
        "codec": {"json": {"fields": {"x": "float64", "user": "str"}}},
        "features": ["x", {"lookup": lookup}],
        "deadline": {"budget": "10m"},
        "model": {"executor": {"python": {"callable": f"{__name__}:echo"}}},
        "sink": {"kafka": {"topic": out}},
        "record": {"path": str(tmp_path / "recordings"), "rotate_every": "1s"},
        "telemetry": {"metrics": {"listen": None}},
    }
    file = tmp_path / "pipeline.yaml"
    file.write_text(yaml.safe_dump(config))
    change(0)

    def decided() -> dict[str, list[float]]:
        made = [msgspec.json.decode(r.value or b"") for r in read(kafka.bootstrap, out)]
        return {one["id"]: one["output"] for one in made}

    with InThread(file) as running:
        for number in range(1, ROUNDS + 1):
            fill(kafka.bootstrap, ticks, events())
            change(number)  # while they are read
            before = (number - 1) * EVENTS
            running.until("those before are decided", lambda: len(decided()) >= before, 60)  # noqa: B023 - at once
        running.until("all are decided", lambda: len(decided()) == ROUNDS * EVENTS, 60)
        running.stop()

    live = decided()
    assert len({weight for _, weight in live.values()}) > USERS
    pipeline = Pipeline.from_file(load(file))
    capture = CaptureReader(tmp_path / "recordings")
    assert capture.summary.gaps == ()
    tables = table_history(pipeline, capture)
    assert tables is not None
    assert tables.missing is None

    exported, again = Seen(), Seen()
    features_of(pipeline, capture.records, exported.take, tables)
    assert {
        name: np.frombuffer(row, np.float64).tolist() for name, row in exported.of.items()
    } == live
    replay_recorded(
        pipeline,
        capture.records(),
        schedule_of(capture),
        executors=answering(pipeline),
        attach=again.attach,
        tables=tables,
    )
    assert again.of == exported.of

    beside = tmp_path / "beside.mcap"
    words = ["record", str(file), "--out", str(beside), "--from", "earliest", "--duration", "3s"]
    assert main([*words, "--json"]) == 0
    tables = table_history(pipeline, CaptureReader(beside))
    assert tables is not None
    assert tables.missing is None
    last = {key: row for rows in capture.tables() for key, row in told(rows).items()}
    there = {key: row for rows in tables.read() for key, row in told(rows).items()}
    assert there == {key: row for key, row in last.items() if row is not None}


def told(rows: TableRows) -> dict[str, float | None]:
    numbers = rows.numbers[:, 0].tolist()
    pairs = zip(rows.keys, rows.there.tolist(), numbers, strict=True)
    return {key: number if there else None for key, there, number in pairs}

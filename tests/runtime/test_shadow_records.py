"""What a shadow decided, as it is written: by its schema, in order, and without harm where it cannot be."""

import json
import logging
from pathlib import Path
from typing import Any

import jsonschema_rs
import numpy as np
import pytest

from streamproc.codecs import Numbers
from streamproc.core import EventBatch, object_column
from streamproc.engine import Compared, ShadowPlan
from streamproc.engine.comparison import differences
from streamproc.runtime import shadow_records
from streamproc.runtime.shadow_records import ShadowRecords
from tests.engine.pipelines import pipeline
from tests.runtime.test_service import until

SCHEMA = Path(__file__).parents[2] / "schemas" / "shadow.schema.json"
VALIDATOR = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))


def compared(count: int, *, candidate: str = "shadow", rows: bool = False) -> Compared:
    """Events whose decisions are 1.0, and 2.0 for every other one of the shadow's; the first has no key."""
    n = np.arange(count)
    keys = object_column([None if i == 0 else b"k%d\xff" % i for i in range(count)])
    events = EventBatch(
        number=n, partition=n * 0, ordinal=n, offset=n + 100, event_time_ns=n, arrival_ns=n,
        admitted_ns=n, deadline_ns=n, key=keys, record_key=keys, value=keys,
        row=n if rows else None,
    )  # fmt: skip
    published, aside = Numbers(np.ones((count, 1))), Numbers((1.0 + n % 2)[:, np.newaxis])
    told = differences(published, aside, 1e-3)
    return Compared(candidate, "ticks/0/", events, published, aside, told, 0)


def records_to(file: Path | None) -> ShadowRecords:
    plan = ShadowPlan("shadow", 1, 0.5, 10, 0.0, file=None if file is None else str(file))
    return ShadowRecords(pipeline(), shadow=lambda: plan, variants=lambda: ["full", "shadow"])


@pytest.mark.parametrize("rows", [False, True])
async def test_each_is_a_line_as_the_schema_says(tmp_path: Path, rows: bool) -> None:
    records = records_to(tmp_path / "shadow.jsonl")
    for _ in range(2):
        records.told(compared(600, rows=rows))
    records.told(compared(3, candidate="canary"))  # is not a shadow
    await records.close()
    lines = [json.loads(line) for line in (tmp_path / "shadow.jsonl").read_text().splitlines()]
    assert len(lines) == 1_200
    for line in lines[:20]:
        VALIDATOR.validate(line)
    end = "/1" if rows else ""
    expected: dict[str, Any] = {
        "id": f"ticks/0/101{end}", "pipeline": "p", "key": "k1\ufffd", "event_time_ns": 1,
        "variant": "full", "published": [1.0], "shadow": "shadow", "decided": [2.0],
        "differs": True, "difference": 1.0, "schema_version": 1,
    }  # fmt: skip
    assert lines[1] == expected
    assert lines[0]["key"] is None


async def test_where_nothing_is_asked_for_nothing_is_kept() -> None:
    records = records_to(None)
    records.told(compared(3))
    assert records._task is None
    await records.close()


async def test_what_cannot_be_written_is_dropped_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_records, "WAITING_MAX", 5)
    records = records_to(tmp_path / "nowhere" / "shadow.jsonl")
    with caplog.at_level(logging.WARNING):
        records.told(compared(8))
        await records.close()
    assert records.dropped == 8
    assert "8 records of what a shadow decided were not written" in caplog.text


async def test_what_is_wrong_again_and_again_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_records, "_PAUSE_S", 0.0)
    tries = 0
    append = shadow_records._append

    def counted(path: Path, lines: bytes) -> None:
        nonlocal tries
        tries += 1
        append(path, lines)

    monkeypatch.setattr(shadow_records, "_append", counted)
    records = records_to(tmp_path / "later" / "shadow.jsonl")
    with caplog.at_level(logging.WARNING):
        records.told(compared(3))
        await until(lambda: tries > 5)
        (tmp_path / "later").mkdir()
        await until(lambda: not records._waiting)
    await records.close()
    assert len((tmp_path / "later" / "shadow.jsonl").read_text().splitlines()) == 3
    assert caplog.text.count("cannot be written") == 1

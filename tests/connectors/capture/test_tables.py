"""Tables in recordings: each file can be read alone, one after the other tell each change once, and nothing hidden shows."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamproc.connectors.capture import CaptureReader, CaptureWriter, Redact, Rotation, frames
from streamproc.connectors.capture.recorder import Recorder
from streamproc.connectors.capture.redaction import Redactor
from streamproc.connectors.capture.scribe import Job, Scribe
from streamproc.connectors.capture.table_wire import (
    decode_table,
    encode_table,
    pack_table,
    unpack_table,
)
from streamproc.core import NS_PER_S, SystemClock, TableRows, VirtualClock
from tests.support.captures import METADATA, START_NS, batch_of
from tests.support.tables import all_of, rows_of

KEYS_MAX = 4


def facts(rows: TableRows) -> tuple[Any, ...]:
    told = (rows.name, rows.topic, rows.fields, rows.keys_max, rows.seen_ns, [*rows.keys])
    return (*told, rows.there.tolist(), rows.numbers.tolist(), rows.positions, rows.part)


@pytest.mark.parametrize(
    "rows",
    [rows_of({"a": 0.1, "ü": None}, 7, end=3), all_of({}, 7, end=0), all_of({"": 1e300}, 7, end=1)],
)
def test_rows_come_back_as_they_were(rows: TableRows) -> None:
    assert facts(decode_table(encode_table(rows), "lookup", 7)) == facts(rows)
    item = frames.read(frames.frame(pack_table(rows))[4:])
    assert facts(unpack_table(item)) == facts(rows)


def tables_seen(path: Path | list[Path]) -> dict[int, dict[str, float]]:
    """By the first offset of each batch, the table that it saw: a plain mapping, as long as there is room."""
    capture = CaptureReader(path)
    rows, table = list(capture.tables()), dict[str, float]()
    seen = {}
    for batch in capture.records():
        while rows and rows[0].seen_ns < batch.arrival_ns:
            one = rows.pop(0)
            if one.part is not None and not one.part.first:
                table = {}
            for key, there, numbers in zip(one.keys, one.there, one.numbers, strict=True):
                table.pop(key, None)
                if there:
                    table[key] = float(numbers[0])
                    if len(table) > KEYS_MAX:
                        del table[next(iter(table))]
        seen[int(batch.offset[0])] = dict(table)
    return seen


def write(path: Path, seed: int, **options: Any) -> list[Path]:
    """Records and changes, which may be told of before records that arrived before them."""
    clock, rng = VirtualClock(START_NS), np.random.default_rng(seed)
    with CaptureWriter(path, METADATA, clock=clock, durable=False, **options) as writer:
        writer.table(all_of({"a": 1.0, "b": 2.0}, START_NS - 1, end=2))
        end = 2
        for number in range(60):
            arrival_ns = START_NS + 1_000 * number
            for late in range(int(rng.integers(4))):
                end += 1
                some = {str(rng.choice(list("abcdef"))): None if rng.random() < 0.3 else float(end)}
                writer.table(rows_of(some, arrival_ns + late, end=end, keys_max=KEYS_MAX))
            writer.records(batch_of(1, first=number, arrival_ns=arrival_ns))
            clock.advance(NS_PER_S // 4)
    return writer.completed


@pytest.mark.parametrize("seed", range(5))
def test_each_file_alone_and_all_together_show_the_same_tables(tmp_path: Path, seed: int) -> None:
    (whole,) = write(tmp_path / "one.mcap", seed)
    wanted = tables_seen(whole)
    assert len(wanted) == 60
    assert len({tuple(table.items()) for table in wanted.values()}) > 10

    parts = write(tmp_path / "many.mcap", seed, rotation=Rotation(age_max_ns=2 * NS_PER_S))
    assert len(parts) > 5
    assert tables_seen(parts) == wanted
    alone: dict[int, dict[str, float]] = {}
    for part in parts:
        alone |= tables_seen(part)
    assert alone == wanted

    ends = [rows.positions[0] for rows in CaptureReader(parts).tables()]
    assert all(before < after for before, after in pairwise(ends))  # each change once


def test_a_file_that_is_cut_shows_them_as_far_as_it_goes(tmp_path: Path) -> None:
    (whole,) = write(tmp_path / "one.mcap", 1)
    wanted, content = tables_seen(whole), whole.read_bytes()
    cut = tmp_path / "cut.mcap"
    lengths = []
    for size in range(0, len(content), max(1, len(content) // 40)):
        cut.write_bytes(content[:size])
        found = tables_seen(cut)
        assert found == {offset: wanted[offset] for offset in found}
        lengths.append(len(found))
    assert 0 < lengths[len(lengths) // 2] < len(wanted)


def test_what_changes_while_the_disk_is_full_is_in_the_next_file(tmp_path: Path) -> None:
    clock = VirtualClock(START_NS)
    job = Job(tmp_path / "f.mcap", METADATA, keep_free=1 << 60)
    writing = Scribe(job, clock, lambda _: None)
    writing.take(pack_table(all_of({"a": 1.0}, START_NS - 5, end=1)))
    writing.take(pack_table(rows_of({"b": 2.0}, START_NS - 4, end=2)))
    writing._job = Job(tmp_path / "f.mcap", METADATA)  # there is room again
    clock.advance(6 * NS_PER_S)
    writing.tick()
    writing.take(frames.pack_records(batch_of(1, arrival_ns=START_NS)))
    writing.close()
    assert tables_seen(tmp_path / "f.mcap") == {0: {"a": 1.0, "b": 2.0}}


def test_a_hidden_field_is_found_under_its_pseudonym(tmp_path: Path) -> None:
    redactor = Redactor(
        Redact("0123456789abcdef", fields=("user", "number")),
        {"by_name": "text", "by_number": "number"},
    )
    value = b'{"user": "ann", "number": 41, "x": 1}'
    (seen,) = redactor.records(batch_of(1, value=[value])).value
    event = frames_of_json(seen)
    by_name = redactor.table(rows_of({"ann": 1.0, "bob": 2.0}, 1, end=2, name="by_name"))
    assert by_name.keys[0] == event["user"] != "ann"
    assert by_name.keys[1] not in ("bob", event["user"])
    by_number = redactor.table(rows_of({"41": 1.0, "x": 2.0}, 1, end=2, name="by_number"))
    assert by_number.keys[0] == str(event["number"]) != "41"
    assert by_number.keys[1] != "x"
    shown = rows_of({"ann": 1.0}, 1, end=1)
    assert redactor.table(shown) is shown


def frames_of_json(value: bytes | None) -> Any:
    import orjson  # noqa: PLC0415

    return orjson.loads(value or b"")


async def test_what_was_dropped_is_told_anew(tmp_path: Path) -> None:
    """A change that found no room is lost; all that the tables hold follows as soon as there is some."""
    clock = SystemClock()
    recorder = Recorder(Job(tmp_path / "f.mcap", METADATA), clock=clock, queue_bytes=4_096)
    now = {"a": 1.0}
    recorder.all_tables = lambda: all_of(now, clock.now_ns(), end=len(now)).parts()
    recorder.start()
    many = {f"k{n}": float(n) for n in range(80)}
    recorder.table(rows_of(many, clock.now_ns(), end=81))
    assert recorder.dropped == 80
    now["b"] = 2.0
    async with asyncio.timeout(60):
        while recorder.waiting_bytes:
            recorder._push_on()
            await asyncio.sleep(0.01)
        recorder.records(batch_of(1, arrival_ns=clock.now_ns()))
        recorder.records(batch_of(1, first=1, arrival_ns=clock.now_ns()))
        await recorder.close()
    capture = CaptureReader(tmp_path / "f.mcap")
    assert dict(capture.summary.gaps[0].dropped) == {"tables": 80}
    assert tables_seen(tmp_path / "f.mcap")[1] == {"a": 1.0, "b": 2.0}


async def test_tables_that_do_not_fit_are_said_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = SystemClock()
    recorder = Recorder(Job(tmp_path / "f.mcap", METADATA), clock=clock, queue_bytes=4_096)
    many = {f"k{n}": float(n) for n in range(80)}
    recorder.all_tables = lambda: all_of(many, clock.now_ns(), end=80).parts()
    recorder.start()
    await recorder.close()
    assert "set record.queue to more than twice as much" in caplog.text
    assert CaptureReader(tmp_path / "f.mcap").summary.tables == []

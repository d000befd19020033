"""Lines in files keep the contract of a sink, but for a hash of keys, which lines have no use for."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from streamproc.connectors.capture import JsonLines, LineForm
from streamproc.connectors.files import FileSink, LinesSink, topic_of
from streamproc.core import (
    ConfigError,
    ExternalError,
    OutRecords,
    SendDone,
    SystemClock,
    TopicPartition,
)
from streamproc.testing import StoredRecord
from streamproc.testing.contracts import SINK_CHECKS

TICKS = TopicPartition("ticks", 0)
CHECKS = [check for check in SINK_CHECKS if check.__name__ != "uses_the_hash_of_the_key"]


class Bed:
    """Two files of letters; that of decisions holds values alone."""

    input_topic, topic, other_topic = "ticks", "letters", "other"

    def __init__(self, folder: Path) -> None:
        self.clock = SystemClock()
        self.options = FileSink(str(folder / "decisions.jsonl"))

    def make(self) -> LinesSink:
        return LinesSink(self.options, append=False, clock=self.clock)

    async def read(self, topic: str) -> list[StoredRecord]:
        lines = self.options.file_of(topic).read_bytes().splitlines()
        return [
            StoredRecord(
                *batch.source,
                int(batch.offset[row]),
                0,
                batch.key[row],
                batch.value[row],
                tuple(batch.headers.get(row, ())),
            )
            for batch in JsonLines(LineForm("none"), topic).batches(lines)
            for row in range(len(batch))
        ]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_contract(check: "type", tmp_path: Path) -> None:
    await check(Bed(tmp_path))  # type: ignore[misc]


@asynccontextmanager
async def opened(path: Path, *, append: bool = False) -> AsyncIterator[LinesSink]:
    sink = LinesSink(FileSink(str(path)), append=append, clock=SystemClock())
    await sink.start()
    yield sink
    await sink.stop(timeout_ns=10**10)


def decisions(*values: bytes | None) -> OutRecords:
    return OutRecords("decisions", TICKS, [None] * len(values), list(values))


def collect(results: list[int | Exception]) -> SendDone:
    return results.append


async def test_a_decision_is_a_line_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "new" / "decisions.jsonl"
    async with opened(path) as sink:
        sink.send(decisions(b'{"id":"ticks/0/0"}', b'{"id":"ticks/0/1"}'), lambda _: None)
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == [
        "ticks/0/0",
        "ticks/0/1",
    ]


@pytest.mark.parametrize(("append", "left"), [(True, b"{}\n{}\n"), (False, b"{}\n")])
async def test_a_file_that_is_there(tmp_path: Path, append: bool, left: bytes) -> None:
    path = tmp_path / "decisions.jsonl"
    for _ in range(2):
        async with opened(path, append=append) as sink:
            sink.send(decisions(b"{}"), lambda _: None)
    assert path.read_bytes() == left


async def test_a_full_disk_is_an_error_of_the_outside() -> None:
    results: list[int | Exception] = []
    async with opened(Path("/dev/full")) as sink:
        sink.send(OutRecords("full", TICKS, [None], [b"{}"]), collect(results))
    (error,) = results
    assert isinstance(error, ExternalError)
    assert str(error) == "cannot write /dev/full: No space left on device"


async def test_a_file_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sink = LinesSink(
        FileSink(str(tmp_path / "file" / "d.jsonl")), append=False, clock=SystemClock()
    )
    with pytest.raises(ConfigError, match=r"sink\.file\.path: cannot write .*d\.jsonl: "):
        await sink.start()


def test_a_topic_of_a_name(tmp_path: Path) -> None:
    assert topic_of(tmp_path / "my events.2026.jsonl.gz") == "my-events"
    assert topic_of(tmp_path / ".hidden") == "events"

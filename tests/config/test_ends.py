"""Files as source and sink: where their paths start from, and what cannot go with them."""

from pathlib import Path

import pytest

from streamproc.config import written
from streamproc.connectors.files import CaptureSource, FileSink, FileSource
from tests.config.conftest import Problems, Read

KAFKA_IN = "  kafka:\n    topics: [ticks]\n"
KAFKA_OUT = "  kafka:\n    topic: decisions\n"
FILE_IN, FILE_OUT = "  file: {path: events.jsonl}\n", "  file: {path: out/decisions.jsonl}\n"


@pytest.fixture
def files(minimal: str, folder: Path) -> str:
    (folder / "events.jsonl").touch()
    return minimal.replace(KAFKA_IN, FILE_IN).replace(KAFKA_OUT, FILE_OUT)


def test_paths_start_from_the_folder(read: Read, files: str, folder: Path) -> None:
    config = read(files).config
    assert config.source == FileSource(str(folder / "events.jsonl"))
    assert config.source.topics == ("events",)
    assert config.sink == FileSink(str(folder / "out/decisions.jsonl"))
    assert config.sink.file_of("direction.dlq") == folder / "out/direction.dlq.jsonl"


def test_a_recording_may_be_a_folder(read: Read, files: str, folder: Path) -> None:
    (folder / "day").mkdir()
    text = files.replace(FILE_IN, "  capture: {path: day, speed: max}\n")
    assert read(text).config.source == CaptureSource(str(folder / "day"), speed="max")


def test_what_a_recording_keeps_of_it_reads_back(read: Read, files: str) -> None:
    config = read(files.replace("jsonl}", "jsonl, speed: 2}", 1)).config
    assert read(written(config)).config == config


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        ("events.jsonl", "nothing.jsonl", "source.file.path", "there is no file"),
        ("events.jsonl}", "events.jsonl, speed: -1}", "source.file.speed", "must be above 0, or max, was -1"),
        ("events.jsonl}", "events.jsonl, rate: 0}", "source.file.rate", "must be above 0"),
        ("events.jsonl}", "events.jsonl, topic: a b}", "source.file.topic", "must be a topic's name"),
        ("out/decisions.jsonl", "events.jsonl", "sink.file.path", "is the source's file"),
        (FILE_OUT, "  file: {path: direction.jsonl}\noutcomes: {dead_letter_topic: events}\n", "sink.file.path", "events.jsonl, which is"),
        (FILE_OUT, KAFKA_OUT, "sink.kafka.bootstrap_servers", "is missing"),
        ("name: direction\n", "name: direction\ndelivery: exactly_once\n", "delivery", "a file has none"),
        ("name: direction\n", "name: direction\ndecisions: arrow\n", "decisions", "lines of JSON"),
        ("name: direction\n", "name: direction\noutcomes: {ledger_topic: l}\n", "outcomes.ledger_topic", "audits"),
        ("name: direction\n", "name: direction\noutcomes: {shed_topic: decisions}\n", "outcomes.shed_topic", "the sink's topic too"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    problems: Problems, files: str, old: str, new: str, key: str, words: str
) -> None:
    (found,) = problems(files.replace(old, new, 1))
    assert found.key.startswith(key)
    assert found.line is not None
    assert words in found.message

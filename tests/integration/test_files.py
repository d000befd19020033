"""A first try without a broker: events from a file or a recording, decisions into a file, books that add up."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from streamproc.cli import main
from tests.integration.pipelines import TICK, write_config

COUNT = 300
BROKEN = 6

Run = Callable[..., dict[str, Any]]


pytestmark = pytest.mark.usefixtures("untouched")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline from Kafka to Kafka, neither of which is there, and a file of events, one of which is none."""
    monkeypatch.chdir(tmp_path)
    lines = [message.value for message in islice(TICK.messages(COUNT), COUNT)]
    lines[BROKEN] = b"no JSON"
    (tmp_path / "events.jsonl").write_bytes(b"".join(b"%s\n" % line for line in lines if line))
    write_config(tmp_path, name="tried", bootstrap="127.0.0.1:1", topic="t", sink="s")
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs it from a source into ``decisions.jsonl``; gives the summary."""

    def ran(source: str, *more: str) -> dict[str, Any]:
        ends = [f"source={source}", "sink={file: {path: decisions.jsonl}}", *more]
        words = [word for end in ends for word in ("--set", end)]
        code = main(["run", str(folder / "tried.yaml"), "--json", *words])
        said = capsys.readouterr()
        assert code == 0, said.err
        told: dict[str, Any] = json.loads(said.out)
        assert told["consumed"] == sum(told["outcomes"].values())
        return told

    return ran


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_text().splitlines()]


def test_events_of_a_file_are_decided_into_a_file(folder: Path, run: Run) -> None:
    for _ in range(2):  # the second does the first again
        told = run("{file: {path: events.jsonl, speed: max}}")
        assert told["consumed"] == COUNT
        assert told["outcomes"]["dead_letter"] == 1
        whole = [f"events/0/{n}" for n in range(COUNT) if n != BROKEN]
        assert sorted(ids(folder / "decisions.jsonl")) == sorted(whole)
        (letter,) = (folder / "tried.dlq.jsonl").read_text().splitlines()
        assert json.loads(letter)["value"] == "no JSON"


def test_a_recording_and_the_dead_letters_of_a_file_come_again_as_events(
    folder: Path, run: Run
) -> None:
    run("{file: {path: events.jsonl, speed: max}}", "record={path: day}")
    first = ids(folder / "decisions.jsonl")
    again = run("{capture: {path: day, speed: max}}")
    assert again["outcomes"]["dead_letter"] == 1
    assert sorted(ids(folder / "decisions.jsonl")) == sorted(first)
    (folder / "tried.dlq.jsonl").rename(folder / "letters.jsonl")
    letters = run("{file: {path: letters.jsonl, speed: max}}")
    assert letters["outcomes"]["dead_letter"] == letters["consumed"] == 1


def test_workers_need_kafka(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--workers", "2", "--set", "source={file: {path: events.jsonl}}"]
    assert main(["run", str(folder / "tried.yaml"), *words, "--set", "sink={file: {path: d}}"]) == 2
    assert "is no source.kafka, which --workers needs" in capsys.readouterr().err

"""``streamproc dlq`` on a real broker: letters listed, shown, and put back once and no more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from streamproc.cli import main
from tests.integration.pipelines import TICK, InThread, assert_adds_up, set_up
from tests.support.kafka import Message, fill, read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

MARK = "planted-payload"
OWN = (("mine", b"planted-payload-header"), ("nothing", None))
BAD = [f'{{"ts": "{MARK}", "n": {n}}}'.encode() for n in range(6)]


pytestmark = pytest.mark.usefixtures("untouched")


class Command:
    """``streamproc dlq ... --json`` on one pipeline."""

    def __init__(self, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._config = str(config)
        self._capsys = capsys
        self.code = 0
        self.err = ""

    def __call__(self, what: str, *words: str) -> Any:
        self.code = main(["dlq", what, self._config, *words, "--json", "--log-level", "debug"])
        captured = self._capsys.readouterr()
        self.err = captured.err
        return json.loads(captured.out)


def test_letters_are_listed_shown_and_put_back_once(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = set_up(kafka, topic_name, tmp_path, partitions=2)
    bad = [Message(v, b"%s-%d" % (MARK.encode(), n), OWN, n % 2) for n, v in enumerate(BAD)]
    sent = [*TICK.messages(20), *bad, Message(None, None, (), 0)]
    fill(kafka.bootstrap, made.source, sent)
    assert_adds_up(InThread(made.config, stop_after=len(sent)).result())
    dlq = Command(made.config, capsys)

    listed = dlq("list")
    assert dlq.code == 0
    assert listed["reasons"] == {"wrong_type": len(BAD), "empty": 1}
    assert MARK not in json.dumps(listed) + dlq.err
    assert {one["source"].rsplit("/", 1)[0] for one in listed["letters"]} == {
        f"{made.source}/0",
        f"{made.source}/1",
    }
    assert [one["reason"] for one in dlq("list", "--reason", "empty")["letters"]] == ["empty"]
    assert len(dlq("list", "--partition", "1")["letters"]) == 3
    assert dlq("list", "--until", "1h")["letters"] == []
    assert len(dlq("list", "--since", "1h", "--limit", "2")["letters"]) == 2

    wrong = [one["at"] for one in listed["letters"] if one["reason"] == "wrong_type"]
    shown = dlq("show", wrong[0])
    assert MARK not in json.dumps(shown) + dlq.err
    shown = dlq("show", wrong[0], "--value")
    assert json.loads(shown["value"])["ts"] == MARK
    assert shown["header_values"]["mine"] == "planted-payload-header"
    assert MARK not in dlq.err

    before = len(read(kafka.bootstrap, made.source))
    dry = dlq("redrive", "--reason", "wrong_type", "--dry-run")
    assert [one["at"] for one in dry["returned"]] == wrong
    assert len(read(kafka.bootstrap, made.source)) == before

    done = dlq("redrive", *wrong[:2])
    assert [one["at"] for one in done["returned"]] == wrong[:2]
    again = dlq("redrive", "--reason", "wrong_type")
    assert [one["at"] for one in again["returned"]] == wrong[2:]
    once_more = dlq("redrive", *wrong, "--all")
    assert (once_more["returned"], once_more["returned_before"]) == ([], len(wrong))
    assert dlq.code == 0
    assert MARK not in dlq.err

    back = [
        r for r in read(kafka.bootstrap, made.source) if dict(r.headers).get("streamproc-redriven")
    ]
    assert sorted((r.key, r.value, r.partition) for r in back) == sorted(
        (m.key, m.value, m.partition) for m in bad
    )
    for record in back:
        assert record.headers[:2] == OWN
        assert dict(record.headers)["streamproc-redriven"] == b"1"
        source = (dict(record.headers)["streamproc-redriven-from"] or b"").decode()
        assert source.startswith(f"{made.source}/{record.partition}/")
    assert [one["reason"] for one in dlq("list")["letters"]] == ["empty"]
    assert len(dlq("list", "--returned")["letters"]) == len(BAD) + 1


def test_what_fails_again_and_again_is_not_put_back_for_ever(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = set_up(kafka, topic_name, tmp_path, partitions=1)
    fill(kafka.bootstrap, made.source, [Message(b"{", b"k")])
    dlq = Command(made.config, capsys)
    for times in range(3):
        InThread(made.config, stop_after=1).result()
        (letter,) = dlq("list")["letters"]
        assert letter["redriven"] == times
        done = dlq("redrive", "--all", "--max", "2")
        if times < 2:
            assert len(done["returned"]) == 1
            continue
        assert dlq.code == 1
        (refused,) = done["refused"]
        assert refused["why"].startswith("it was put back 2 times already")


def test_two_at_once_put_nothing_back_twice(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    """The second shuts the first out, which fails in words; what is left over is the second's."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - of this test alone

    from tests.cli.support import streamproc  # noqa: PLC0415

    made = set_up(kafka, topic_name, tmp_path, partitions=1)
    count = 300
    fill(kafka.bootstrap, made.source, (Message(b"{", b"%d" % n) for n in range(count)))
    InThread(made.config, stop_after=count).result()
    words = ("dlq", "redrive", str(made.config), "--all", "--json")
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(streamproc, *words, cwd=tmp_path, timeout_s=240) for _ in range(2)]
        answers = [run.result() for run in runs]
    assert 0 in {answer.code for answer in answers}, answers
    assert all("Traceback" not in answer.err for answer in answers), (
        answers[0].err[-900:] + answers[1].err[-900:]
    )
    back = [r for r in read(kafka.bootstrap, made.source) if r.headers]
    assert sorted(int(r.key or b"") for r in back) == list(range(count))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["list"], "there is no topic"),
        (["redrive"], "which? Name letters"),
        (["show", "x"], "is no place"),
        (["list", "--since", "yesterday"], "is no time"),
        (["list", "--set", "outcomes.dead_letter_topic=null"], "counts its dead letters and drops them"),
        (["redrive", "--all", "--set", "sink.kafka.bootstrap_servers=elsewhere:1"], "in another cluster"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    kafka: KafkaBroker,
    topic_name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    made = set_up(kafka, topic_name, tmp_path, partitions=1)
    what, *more = words
    assert main(["dlq", what, str(made.config), *more]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert message in said[0]

"""``top`` shows what ``/api/status`` says, or why it cannot."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from streamproc.cli import main
from streamproc.cli.top_view import view
from streamproc.core import Outcome
from tests.support import free_port
from tests.support.serving import serving
from tests.support.statuses import MS, Still

TOKEN = "0123456789abcdef-hidden"


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    still = Still()
    status = still.status()
    status.show()
    for _ in range(3):
        still.goes_on(queue_ns=200 * MS)
    with serving(still, status.show, token=TOKEN) as served:
        yield served


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STREAMPROC_TOKEN", raising=False)


def test_it_says_which_stage_makes_the_p99(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_text(TOKEN + "\n")
    assert main(["top", address, "--token-file", str(tmp_path / "token")]) == 0
    lines = capsys.readouterr().out.splitlines()
    (named,) = (line for line in lines if "makes the p99" in line)
    assert named.startswith("queue")
    assert lines[0].startswith("direction  running")
    assert "99.00% in time" in lines[0]
    assert any(line.startswith("shed") and "30" in line for line in lines)


def test_json_is_the_status(
    address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STREAMPROC_TOKEN", TOKEN)
    assert main(["top", f"http://{address}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["pipeline"] == "direction"


def test_without_the_token_it_says_how_to_give_it(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["top", address]) == 2
    assert "--token-file or STREAMPROC_TOKEN" in capsys.readouterr().err


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", f"127.0.0.1:{free_port()}"]) == 2
    assert "does not answer" in capsys.readouterr().err
    assert main(["top", "ftp://there"]) == 2
    assert "is no address" in capsys.readouterr().err


def test_alerts_lanes_and_workers_are_shown() -> None:
    still = Still()
    shown = still.status().show()
    shown |= {
        "lane_depths": {"top": 1, "default": 2},
        "workers": {"ready": 2, "down": 0},
        "waiting_for": ["broker"],
    }
    console = Console(width=120, record=True, file=StringIO())
    console.print(view(shown))
    text = console.export_text()
    for words in (
        "page: on-time burns 20 times too fast, 25% left",
        "top 1, default 2",
        "waiting for broker",
    ):
        assert words in text


def test_before_there_are_books() -> None:
    still = Still()
    still.books = None
    assert view(still.status().show())


def test_models_that_are_tried_are_shown() -> None:
    still = Still()
    books = still.books
    assert books is not None
    rollout = books.rollout
    rollout.shares |= {"base": 0.95, "v2": 0.05}
    rollout.outcomes["v2", Outcome.ON_TIME] += 990
    rollout.outcomes["v2", Outcome.SHED] += 10
    rollout.failed["v2"] += 7
    rollout.took("v2", np.array([3 * MS]))
    rollout.of("v2").compared, rollout.of("v2").differed = 400, 100
    rollout.of("v3").compared, rollout.of("v3").failed = 50, 2
    rollout.said["v2"] = "25.0% of its decisions are other ones"
    console = Console(width=120, record=True, file=StringIO())
    console.print(view(still.status().show()))
    lines = [" ".join(line.split()) for line in console.export_text().splitlines()]
    assert "canary v2 is taken back: 25.0% of its decisions are other ones" in lines
    assert "base 0.95 0 - 0 - - - -" in lines
    assert "v2 0.05 1,000 99.00% 7 3 ms 3 ms 400 25.00%" in lines
    assert "v3 aside - - 2 - - 50 0%" in lines

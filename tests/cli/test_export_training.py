"""``streamproc export --training``, as a user calls it."""

import asyncio
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli.support import call
from tests.replay.training.makings import EVENTS, honest, live, of

pytestmark = pytest.mark.usefixtures("wide")

CONFIG = """\
name: p
source: {kafka: {topics: [ticks]}}
codec: {json: {fields: {x: float64, ts: int64, quote_ts: int64}}}
event_time: {field: ts, unit: ms}
features: {python: "tests.replay.training.makings:FUNCTION"}
model: {executor: {simulated: {fixed: 1ms}}}
sink: {kafka: {topic: decisions}}
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    asyncio.run(live(of(honest), tmp_path / "day.mcap"))
    return tmp_path / "day.mcap"


def test_training_data_with_labels_and_a_leak(
    capsys: pytest.CaptureFixture[str], recording: Path, tmp_path: Path
) -> None:
    config, out = tmp_path / "p.yaml", tmp_path / "out" / "f.parquet"
    config.write_text(CONFIG.replace("FUNCTION", "honest"))
    labels = tmp_path / "labels.csv"
    labels.write_text("id,up\n" + "".join(f"ticks/0/{n},{n % 2}\n" for n in range(20)))
    words = ("export", "--training", recording, config, "--labels", labels, "--out", out, "--json")
    answer = call(capsys, *words)
    assert answer.code == 0
    assert (answer.json["events"], answer.json["labelled"]) == (EVENTS, 20)
    assert pq.read_table(out, columns=["id", "label.up"]).num_rows == EVENTS

    config.write_text(CONFIG.replace("FUNCTION", "peeking"))
    answer = call(capsys, *words[:-1])
    assert answer.code == 1
    assert (
        "leak from the future: feature input: it is another when the event comes alone"
        in answer.out
    )

    assert call(capsys, "export", "--training", recording, config).code == 2
    assert call(capsys, "export", "--training", recording, "--out", out, config, config).code == 2

"""The document of a latency model: what it says is what was meant."""

import json

from streamproc.scheduling.latency_text import LatencyText

SAVED = LatencyText(
    size=(1, 64), run_ns=(2_000_000, 9_000_000), size_max=64, quantile=0.85, corrections={5.5: 1.25}
)


def test_it_reads_what_it_writes() -> None:
    assert LatencyText.loads(SAVED.dumps()) == SAVED


def test_it_is_plain_json_with_a_version() -> None:
    assert json.loads(SAVED.dumps()) == {
        "format": "streamproc.latency_model",
        "version": 1,
        "size": [1, 64],
        "run_ns": [2_000_000, 9_000_000],
        "size_max": 64,
        "quantile": 0.85,
        "corrections": [{"size": 5.5, "factor": 1.25}],
    }

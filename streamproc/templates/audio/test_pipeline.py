"""The pipeline without Kafka and without waiting: `pytest`."""

from pathlib import Path

import numpy as np
from send_frames import CALL, FRAME_SAMPLES, SAMPLES_A_SECOND, frames

from streamproc.testing import PipelineTest, TestResult

CONFIG = Path(__file__).parent / "pipeline.yaml"
FRAME_NS = FRAME_SAMPLES * 1_000_000_000 // SAMPLES_A_SECOND
SILENCE = bytes(FRAME_SAMPLES * 2)


def heard(*calls: list[bytes]) -> TestResult:
    """What becomes of calls that go on at the same time."""
    pipeline = PipelineTest(CONFIG)
    for call, sent in enumerate(calls):
        for number, frame in enumerate(sent):
            at_ns = pipeline.now_ns + number * FRAME_NS
            pipeline.send("frames", frame, key=f"call-{call}", timestamp_ns=at_ns, at_ns=at_ns)
    return pipeline.run()


def probabilities(result: TestResult, call: int) -> list[float]:
    return [d.output["probability"] for d in result.decisions if d.key == f"call-{call}"]


def test_speech_is_heard_where_somebody_speaks() -> None:
    result = heard(list(frames(CALL)))

    assert result.summary["outcomes"]["on_time"] == 125
    spoken = [d.output["speech"] for d in result.decisions]
    assert not any(spoken[:48])  # nobody says anything for a second and a half
    assert sum(spoken[80:]) > 30


def test_a_call_is_heard_alike_whoever_else_speaks() -> None:
    call = list(frames(CALL))

    together = heard(call, [SILENCE] * len(call), call[::-1])

    assert probabilities(together, 0) == probabilities(heard(call), 0)
    assert max(probabilities(together, 1)) < 0.5


def test_a_broken_frame_becomes_a_dead_letter() -> None:
    result = heard([SILENCE, np.zeros(511, "<i2").tobytes(), SILENCE])

    assert result.summary["outcomes"]["on_time"] == 2
    assert result.dead_letters[0].reason == "wrong_length"

"""The audio recording, its model and its template; a stateful model gives the same live, replayed, and offline."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from streamproc.codecs import decode_decision
from streamproc.config import load
from streamproc.core import OutRecords, RecordBatch, TopicPartition, VirtualClock
from streamproc.executors import load_executors
from streamproc.replay.playback import Playback, ReplayMachine, arrivals, replay_virtual
from streamproc.runtime import Assembly, Pipeline
from streamproc.testing import PipelineTest
from tests.support.voices import FRAME_NS, RECORDING, TEMPLATE, calls, offline, speech

CALLS, FRAMES = 8, 150


@pytest.fixture(scope="module")
def wanted() -> Any:
    return offline(calls(CALLS, FRAMES))


def test_the_recording_is_two_calls_of_pcm_frames() -> None:
    events, stamps = list(RECORDING.events()), RECORDING.timestamp_ns()
    assert len(events) == len(stamps) == 936
    assert {event.key for event in events} == {b"call-1", b"call-2"}
    assert {len(event.value or b"") for event in events} == {1024}
    own = stamps[[event.key == b"call-2" for event in events]]
    assert set(np.diff(own).tolist()) == {FRAME_NS}
    whole = b"".join(event.value or b"" for event in events if event.key == b"call-1")
    assert whole == RECORDING.signals().signal[0, : 468 * 512].tobytes()


def test_the_model_hears_speech_and_forgetting_its_state_costs_dear() -> None:
    said, frames = speech(), calls(2, 468)
    kept = ((offline(frames) >= 0.5) == said).mean()
    forgotten = ((offline(frames, forget=True) >= 0.5) == said).mean()
    assert kept > 0.97
    assert forgotten < 0.5
    assert said.mean() == pytest.approx(0.749, abs=0.001)  # who always says speech


def test_rows_do_not_depend_on_the_batch_to_the_last_bit(wanted: Any) -> None:
    assert np.array_equal(offline(calls(CALLS, FRAMES), together=True), wanted)


@pytest.mark.parametrize("slots", [1, 3])
def test_interleaved_calls_are_decided_as_offline_to_the_last_bit(wanted: Any, slots: int) -> None:
    config = load(
        TEMPLATE / "pipeline.yaml",
        overrides=[f"model.executor={{onnxruntime: {{concurrency: {slots}}}}}"],
    )
    test = PipelineTest(config)
    for call, frames in enumerate(calls(CALLS, FRAMES)):
        for place, frame in enumerate(frames):
            at_ns = test.now_ns + place * FRAME_NS
            test.send("frames", frame, key=f"{call}", timestamp_ns=at_ns, at_ns=at_ns)
    result = test.run()
    assert result.summary["outcomes"]["on_time"] == CALLS * FRAMES
    assert np.array_equal(heard([(d.key, d.output) for d in result.decisions]), wanted)
    assert max(test.executor.sizes[-50:]) > 1


def test_a_replay_gives_the_same_and_the_same_bytes_again(wanted: Any) -> None:
    first, second = replayed(seed=1), replayed(seed=1)
    assert first == second
    decisions = [decode_decision(value) for value in first]
    assert np.array_equal(heard([(d.key, d.output) for d in decisions]), wanted)


def replayed(*, seed: int) -> list[bytes]:
    """What is sent when the calls are played on the virtual clock, on a machine whose batches take now more, now less."""
    config = Pipeline.from_file(load(TEMPLATE / "pipeline.yaml", overrides=["deadline.budget=60s"]))
    executors = load_executors(config.model, VirtualClock())
    sent: list[bytes] = []

    class Tap:
        def attach(self, assembly: Assembly, now_ns: Callable[[], int]) -> None:
            assembly.settlement.tap = self

        def sent(self, source: Any, offset: Any, records: OutRecords, settled: Any) -> None:
            sent.extend(value for value in records.value if value is not None)

        def ended(self, *_: Any) -> None:
            """Nobody asks."""

    sizes = list(range(1, 65))
    run_ns = [20_000_000 + 1_000_000 * size for size in sizes]
    batches = batches_of(calls(CALLS, FRAMES))
    replay_virtual(
        config,
        arrivals(lambda: iter(batches), Playback()),
        executors=executors,
        machine=ReplayMachine(sweeps=[(sizes, run_ns)], send_ns=np.array([1_000_000]), jitter=0.2),
        seed=seed,
        attach=Tap().attach,
    )
    return sent


def batches_of(frames: Sequence[Sequence[bytes]]) -> list[RecordBatch]:
    """The same frame of all calls, fetched together."""
    begin_ns = 1_700_000_000_000_000_000
    found = []
    for place in range(len(frames[0])):
        at_ns = begin_ns + place * FRAME_NS
        found.append(
            RecordBatch(
                source=TopicPartition("frames", 0),
                offset=np.arange(place * len(frames), (place + 1) * len(frames)),
                timestamp_ns=np.full(len(frames), at_ns),
                key=[b"%d" % call for call in range(len(frames))],
                value=[call[place] for call in frames],
                headers={},
                arrival_ns=at_ns + 1_000_000,
                end_position=(place + 1) * len(frames),
            )
        )
    return found


def heard(decisions: Sequence[tuple[str | None, Any]]) -> Any:
    """What was decided of each call, float32 [calls, frames]."""
    found: list[list[float]] = [[] for _ in range(CALLS)]
    for key, output in decisions:
        found[int(key or "")].append(output["probability"])
    return np.array(found, np.float32)

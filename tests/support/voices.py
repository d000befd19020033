"""Calls of the audio recording, and what its model makes of them with onnxruntime alone, apart from all of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from streamproc.cli.assets import asset, template
from streamproc.replay import SignalRecording

RECORDING = SignalRecording(asset("replay", "audio", "calls.npz"))
TEMPLATE = template("audio")
MODEL = TEMPLATE / "models" / "silero_vad.onnx"
FRAME_NS = 32_000_000


def calls(count: int, frames: int) -> list[list[bytes]]:
    """So many calls of so many frames: the recording's two, begun at other places."""
    signals = RECORDING.signals()
    halves = signals.signal[0].reshape(2, -1, 512)
    return [
        [
            frame.astype("<i2").tobytes()
            for frame in np.roll(halves[n % 2], -23 * (n // 2), axis=0)[:frames]
        ]
        for n in range(count)
    ]


def speech() -> Any:
    """For each frame of the recording's two calls whether somebody speaks (bool [2, frames])."""
    with np.load(RECORDING.path) as arrays:
        return arrays["speech"]


def offline(calls: list[list[bytes]], *, together: bool = False, forget: bool = False) -> Any:
    """How likely somebody speaks in each frame, float32 [calls, frames], frame by frame.

    Args:
        calls: equally many frames each.
        together: whether the same frame of all calls is one batch; else each is one of its own.
        forget: whether no state is carried.
    """
    session = onnxruntime.InferenceSession(MODEL, providers=["CPUExecutionProvider"])
    samples = np.array([[np.frombuffer(f, "<i2") for f in call] for call in calls])
    samples = samples.astype(np.float32) / 32768
    groups = [slice(None)] if together else [slice(n, n + 1) for n in range(len(calls))]
    made = np.empty(samples.shape[:2], np.float32)
    for group in groups:
        size = len(samples[group])
        state, before = np.zeros((2, size, 128), np.float32), np.zeros((size, 64), np.float32)
        for place in range(samples.shape[1]):
            frame = samples[group, place]
            given = {
                "input": np.concatenate((before, frame), axis=1),
                "state": state,
                "sr": np.array(16000),
            }
            output, carried = session.run(["output", "stateN"], given)
            before = frame[:, -64:]
            state = state if forget else carried
            made[group, place] = output[:, 0]
    return made

"""The code of the pipeline: numpy over a batch of frames, before the model and behind it."""

from collections.abc import Mapping

import numpy as np

from streamproc.core import Array, Columns, EventBatch, Float32Array
from streamproc.features.operators import KeyedBatch

BEFORE_SAMPLES = 64
LARGEST = 32_768


def with_samples_before(batch: KeyedBatch) -> Float32Array:
    """Each frame behind the last 64 samples of the call's frame before it, from -1 to 1.

    Args:
        batch: n frames; ``batch["samples"]`` is int16 [n, 512], ``batch.state["before"]`` has a row for each call.

    Returns:
        float32 [n, 576].
    """
    frames = batch["samples"].astype(np.float32) / LARGEST
    windows = np.empty((len(frames), BEFORE_SAMPLES + frames.shape[1]), np.float32)
    windows[:, BEFORE_SAMPLES:] = frames
    before = batch.state["before"]
    for rows in batch.rounds():  # in a round no call is there twice
        calls = batch.slot[rows]
        windows[rows, :BEFORE_SAMPLES] = before[calls]
        before[calls] = frames[rows, -BEFORE_SAMPLES:]
    return windows


def decide(batch: EventBatch, outputs: Columns, *, speech_from: float) -> Mapping[str, Array]:
    """Say whether anybody speaks, and how loud it is.

    Args:
        batch: the n frames.
        outputs: the model's, by name; ``output`` is float32 [n, 1], how likely it is that somebody speaks.
        speech_from: from ``output.options`` in pipeline.yaml.

    Returns:
        columns of n rows each; they become the keys of a decision's ``output``.
    """
    likely = outputs["output"][:, 0].astype(np.float32)
    samples = batch["samples"].astype(np.float32) / LARGEST
    loudness = np.sqrt(np.mean(samples * samples, axis=1)).astype(np.float64)
    return {
        "speech": likely >= speech_from,
        "probability": likely,
        "loudness": np.round(loudness, 4),
    }

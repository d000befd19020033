"""From the model's output to what a decision says."""

from collections.abc import Mapping

import numpy as np

from streamproc.core import Array, Columns, EventBatch

LABELS = np.array(["down", "flat", "up"])


def decide(batch: EventBatch, outputs: Columns, *, sure_from: float) -> Mapping[str, Array]:
    """Name the direction, and say how sure the model is.

    Args:
        batch: the n events and their decoded fields.
        outputs: the model's, by name; ``probabilities`` is float32 [n, 3].
        sure_from: from ``output.options`` in pipeline.yaml.

    Returns:
        columns of n rows each; they become the keys of a decision's ``output``. A list of n objects
        will do as well.
    """
    scores = np.round(outputs["probabilities"].astype(np.float64), 6)
    return {
        "label": LABELS[scores.argmax(axis=1)],
        "scores": scores,
        "after": batch["kind"],
        "sure": scores.max(axis=1) >= sure_from,
    }

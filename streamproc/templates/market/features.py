"""The model's inputs. Change this first: it is plain numpy over a batch, not code for one event."""

import numpy as np

from streamproc.core import EventBatch, Float32Array


def build(batch: EventBatch, *, limit: float) -> Float32Array:
    """The 24 features, held within what the model was trained on.

    Args:
        batch: n events; ``batch["f"]`` is the decoded field, float32 [n, 24].
        limit: from ``features.options`` in pipeline.yaml.

    Returns:
        float32 [n, 24]; one row an event, in their order.
    """
    features: Float32Array = np.clip(batch["f"], -limit, limit)
    return features

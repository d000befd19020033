"""Inputs that say nothing: what a model is warmed up and measured with."""

import numpy as np

from streamproc.core import Array, Columns, ModelInfo


def blank(info: ModelInfo, size: int) -> Columns:
    """Zeros, and texts without letters, for a batch; a size that a model leaves open is 1.

    Args:
        info: the model.
        size: events of the batch.
    """
    return {
        spec.name: _blank((size, *(n or 1 for n in spec.shape)), spec.dtype) for spec in info.inputs
    }


def _blank(shape: tuple[int, ...], dtype: str) -> Array:
    return np.full(shape, "", np.object_) if dtype == "object" else np.zeros(shape, dtype)

"""What ``vpmaddubsw`` does to a product of bytes, and a model on which it shows.

Without VNNI onnxruntime multiplies unsigned by signed bytes in pairs, and each pair's sum saturates at 16 bits:
2 * 255 * 127 is 64,770, and becomes 32,767 (Intel 64 manual, PMADDUBSW).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    import onnx

FEATURES = 64
CLASSES = 8


def has_vnni() -> bool:
    """Whether this processor multiplies bytes exactly; True also where that is not known, as on ARM."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return True
    return "avx2" not in text or "vnni" in text


def weights() -> np.ndarray:
    """float32 [FEATURES, CLASSES]: runs of large weights of one sign, as a trained layer has them."""
    generator = np.random.default_rng(1)
    signs = np.repeat(generator.choice([-1, 1], (FEATURES // 4, CLASSES)), 4, axis=0)
    made = signs * generator.uniform(0.5, 1.0, (FEATURES, CLASSES))
    made -= made.mean(axis=0)
    made *= np.linspace(
        1.0, 0.6, CLASSES
    )  # those of the first classes saturate, those of the last less
    return np.asarray(made, np.float32)


def bias() -> np.ndarray:
    """float32 [CLASSES]: so that the classes are about equally common."""
    return np.asarray(-0.8 * weights().sum(axis=0), np.float32)


def dense() -> onnx.GraphProto:
    """``y = x @ weights + bias`` with x [n, FEATURES]."""
    return helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["product"]),
            helper.make_node("Add", ["product", "b"], ["y"]),
        ],
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", FEATURES])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", CLASSES])],
        [numpy_helper.from_array(weights(), "w"), numpy_helper.from_array(bias(), "b")],
    )


def scores_of(x: np.ndarray, *, saturates: bool) -> np.ndarray:
    """The model's answers with bytes in place of numbers, exactly or as a processor without VNNI gives them."""
    scale = np.abs(weights()).max() / 127
    bytes_of_x = np.rint(x * 255).astype(np.uint8)
    bytes_of_w = np.rint(weights() / scale).astype(np.int8)
    product = saturating if saturates else _exact
    return np.asarray(product(bytes_of_x, bytes_of_w) * (scale / 255) + bias(), np.float32)


def saturating(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """``x @ w`` of uint8 [n, k] and int8 [k, m] in pairs along k whose sums saturate at 16 bits, int32 [n, m]."""
    total = np.zeros((len(x), w.shape[1]), np.int32)
    for at in range(0, x.shape[1], 2):
        pair = _exact(x[:, at : at + 2], w[at : at + 2])
        total += np.clip(pair, -32_768, 32_767)
    return total


def _exact(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    return x.astype(np.int32) @ w.astype(np.int32)

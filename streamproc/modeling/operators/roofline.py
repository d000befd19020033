"""What this machine can do at most, measured on the spot: the roofline of Williams, Waterman and Patterson 2009."""

from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, helper

from streamproc.core import NS_PER_S, process_cpu_ns
from streamproc.modeling.inference import session_of
from streamproc.modeling.measuring import NowNs

_SIDE = 512
"""Of the matrices that are multiplied: all three fit a second-level cache of 4 MB."""
_COPIED_BYTES = 64 << 20
"""Larger than the caches of most machines."""
_TRIES = 7


@dataclass(frozen=True, slots=True)
class Roofline:
    """What one core can do.

    Attributes:
        flops_per_s: operations a second, multiplying float32 matrices by onnxruntime on one thread.
        bytes_per_s: bytes a second, copying memory that no cache holds; read and written bytes count.
    """

    flops_per_s: float
    bytes_per_s: float

    @property
    def ridge(self) -> float:
        """Operations a byte from which on arithmetic, and not memory, is the limit."""
        return self.flops_per_s / self.bytes_per_s

    def bound_s(self, flops: int, bytes_moved: int) -> float:
        """The least time in which so much can be done."""
        return max(flops / self.flops_per_s, bytes_moved / self.bytes_per_s)


def measure_roofline(now_ns: NowNs = process_cpu_ns) -> Roofline:
    """Measure it; takes a second.

    Args:
        now_ns: a clock; by default CPU time, which other processes do not lengthen.
    """
    session = session_of(_product())
    given = {name: np.ones((_SIDE, _SIDE), np.float32) for name in "ab"}
    source = np.ones(_COPIED_BYTES // 8, np.float64)
    target = np.empty_like(source)
    multiplied, copied = [], []
    session.run(None, given)
    np.copyto(target, source)
    for _ in range(_TRIES):
        begun_ns = now_ns()
        session.run(None, given)
        multiplied.append(now_ns() - begun_ns)
        begun_ns = now_ns()
        np.copyto(target, source)
        copied.append(now_ns() - begun_ns)
    # The best of some: whatever disturbs makes it slower.
    return Roofline(
        2 * _SIDE**3 * NS_PER_S / max(1, min(multiplied)),
        2 * _COPIED_BYTES * NS_PER_S / max(1, min(copied)),
    )


def _product() -> object:
    shape = [_SIDE, _SIDE]
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["c"])],
        "product",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "ab"],
        [helper.make_tensor_value_info("c", TensorProto.FLOAT, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)

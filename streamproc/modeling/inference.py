"""Running graphs that are not files yet."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from streamproc.core import Array, Columns, ConfigError
from streamproc.executors import OpenVino, OpenVinoExecutor
from streamproc.modeling.graphs import Graph

_BATCH = 256
_ERROR = 3

Run = Callable[[Columns], Array]
"""Inputs by name to the output that decides."""


def session_of(model: Graph, *, fused: bool = True, threads: int = 1) -> Any:  # noqa: ANN401 - no types
    """An onnxruntime session of a graph, on the CPU.

    Args:
        model: the graph.
        fused: whether the graph may be changed.
        threads: inside one operator.
    """
    import onnxruntime  # noqa: PLC0415 - 0.1 s

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.inter_op_num_threads = 1
    settings.log_severity_level = _ERROR
    if not fused:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    content = model.SerializeToString()
    return onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])


def runner(model: Graph, *, fused: bool = True, runtime: str = "onnxruntime") -> Run:
    """What computes the first output of a graph, on one thread.

    Raises:
        ConfigError: the runtime cannot run it.
    """
    output = model.graph.output[0].name
    if runtime == "openvino":
        with tempfile.TemporaryDirectory(prefix="streamproc-optimize-") as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(model.SerializeToString())
            executor = OpenVinoExecutor(str(path), OpenVino())
        return lambda inputs: executor.run(inputs)[output]
    try:
        session = session_of(model, fused=fused)
    except Exception as error:  # onnxruntime's errors have no common ancestor
        msg = f"onnxruntime cannot run it: {str(error).splitlines()[0]}"
        raise ConfigError(msg) from error
    return lambda inputs: np.asarray(session.run([output], inputs)[0])


def run_in_batches(model: Graph, inputs: Columns, run: Run | None = None) -> Array:
    """The first output for many events, [n, ...]."""
    run = run or runner(model)
    total = len(next(iter(inputs.values())))
    return np.concatenate(
        [
            run({name: array[at : at + _BATCH] for name, array in inputs.items()})
            for at in range(0, total, _BATCH)
        ]
    )

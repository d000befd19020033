"""From the configuration to an executor, and its first measurement."""

import numpy as np

from streamproc.core import NS_PER_MS, NS_PER_S, Clock, Columns, Executor, ModelInfo, load_function
from streamproc.executors.onnx import OnnxExecutor
from streamproc.executors.options import Model, OnnxRuntime, PythonModel, Simulated
from streamproc.executors.python import PythonExecutor
from streamproc.executors.simulated import SimulatedExecutor

SWEEP_LIMIT_NS = 2 * NS_PER_S
"""The warm-up sweep's time: enough for 5 runs of each size where a batch takes up to 40 ms."""
_REPEATS = 5
_UNKNOWN_NS = 2 * NS_PER_MS
"""Taken for a model that cannot be measured without real inputs: it starts on a thread, and is learned."""


def load_executor(model: Model, clock: Clock) -> Executor:
    """The executor that the configuration names.

    Raises:
        ConfigError: the model does not load.
    """
    match model.executor:
        case OnnxRuntime() as options:
            return OnnxExecutor(model.path or "", options)
        case PythonModel(callable=name):
            function = load_function(name, key="model.executor.python.callable")
            return PythonExecutor(function, name=name)
        case Simulated() as options:
            inner = OnnxExecutor(model.path, OnnxRuntime()) if model.path else None
            return SimulatedExecutor(options, clock=clock, inner=inner)


def sweep(executor: Executor, *, size_max: int, clock: Clock) -> tuple[list[int], list[int]]:
    """Warm the model up and measure it: batch sizes 1, 2, 4 ... ``size_max``, and their times in ns.

    The first run of a size is not counted; of the others the median is taken. When the time is up, larger
    sizes are left out, and the last two give the slope.
    """
    sizes = sorted({*(1 << p for p in range(size_max.bit_length())), size_max} - {0})
    sizes = [size for size in sizes if size <= size_max]
    if not executor.info.inputs:
        return [1], [_UNKNOWN_NS]
    measured: list[int] = []
    begun_ns = clock.now_ns()
    for size in sizes:
        inputs = _zeros(executor.info, size)
        executor.run(inputs)
        times = []
        for _ in range(_REPEATS):
            started_ns = clock.now_ns()
            executor.run(inputs)
            times.append(clock.now_ns() - started_ns)
            if clock.now_ns() - begun_ns > SWEEP_LIMIT_NS:
                break
        measured.append(max(1, sorted(times)[len(times) // 2]))
        if clock.now_ns() - begun_ns > SWEEP_LIMIT_NS:
            break
    done = sizes[: len(measured)]
    if done[-1] < size_max and len(done) > 1:
        slope = max(0.0, (measured[-1] - measured[-2]) / (done[-1] - done[-2]))
        measured.append(round(measured[-1] + slope * (size_max - done[-1])))
        done.append(size_max)
    return done, measured


def _zeros(info: ModelInfo, size: int) -> Columns:
    return {
        spec.name: np.zeros((size, *(n or 1 for n in spec.shape)), spec.dtype)
        for spec in info.inputs
    }

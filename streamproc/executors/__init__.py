"""What runs a model: onnxruntime, a Python callable, a pretended device."""

from streamproc.executors.load import load_executor, sweep
from streamproc.executors.onnx import OnnxExecutor
from streamproc.executors.options import Model, OnnxRuntime, PythonModel, Simulated
from streamproc.executors.python import PythonExecutor
from streamproc.executors.simulated import SimulatedExecutor

__all__ = [
    "Model",
    "OnnxExecutor",
    "OnnxRuntime",
    "PythonExecutor",
    "PythonModel",
    "Simulated",
    "SimulatedExecutor",
    "load_executor",
    "sweep",
]

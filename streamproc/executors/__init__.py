"""What runs a model: onnxruntime, a Python callable, a pretended device."""

from streamproc.executors.isolated import Breaker, Isolation
from streamproc.executors.isolated.executor import IsolatedExecutor, ProcessHealth
from streamproc.executors.load import load_executors, sweep
from streamproc.executors.models import MANIFEST_NAME, Rules, Signature, look_at, write_manifest
from streamproc.executors.models.golden import Golden, check_golden
from streamproc.executors.onnx import OnnxExecutor
from streamproc.executors.options import Model, ModelVariant, OnnxRuntime, PythonModel, Simulated
from streamproc.executors.profiling import profiled_sessions
from streamproc.executors.python import PythonExecutor
from streamproc.executors.simulated import SimulatedExecutor

__all__ = [
    "MANIFEST_NAME",
    "Breaker",
    "Golden",
    "IsolatedExecutor",
    "Isolation",
    "Model",
    "ModelVariant",
    "OnnxExecutor",
    "OnnxRuntime",
    "ProcessHealth",
    "PythonExecutor",
    "PythonModel",
    "Rules",
    "Signature",
    "Simulated",
    "SimulatedExecutor",
    "check_golden",
    "load_executors",
    "look_at",
    "profiled_sessions",
    "sweep",
    "write_manifest",
]

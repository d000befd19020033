"""What runs a model: onnxruntime, OpenVINO, a server elsewhere, a Python callable, a pretended device."""

from streamproc.executors.blank import blank
from streamproc.executors.candidates import REFERENCE, load_runners, runners
from streamproc.executors.cascade import Cascade
from streamproc.executors.chain import ChainExecutor, digest_of
from streamproc.executors.chain_options import ChainStage
from streamproc.executors.isolated import Breaker, Isolation
from streamproc.executors.isolated.executor import IsolatedExecutor
from streamproc.executors.isolated.health import ProcessHealth
from streamproc.executors.load import load_executors, sweep
from streamproc.executors.models import MANIFEST_NAME, Rules, Signature, look_at, write_manifest
from streamproc.executors.models.agreement import Agreement, check_agreement
from streamproc.executors.models.golden import Golden, check_golden
from streamproc.executors.models.repository import Repository
from streamproc.executors.onnx import OnnxExecutor
from streamproc.executors.openvino import OpenVinoExecutor
from streamproc.executors.options import Model, ModelVariant, PythonModel, Simulated
from streamproc.executors.profiling import profiled_sessions
from streamproc.executors.python import PythonExecutor
from streamproc.executors.remote import (
    ProtocolError,
    Remote,
    RemoteExecutor,
    array_of,
    datatype_of,
    listed,
    raw_of,
    unlisted,
)
from streamproc.executors.rollout_options import Arm, Canary, Candidate, Rollback, Rollout, Shadow
from streamproc.executors.runtimes import OnnxRuntime, OpenVino
from streamproc.executors.simulated import SimulatedExecutor
from streamproc.executors.state_options import ModelState

__all__ = [
    "MANIFEST_NAME",
    "REFERENCE",
    "Agreement",
    "Arm",
    "Breaker",
    "Canary",
    "Candidate",
    "Cascade",
    "ChainExecutor",
    "ChainStage",
    "Golden",
    "IsolatedExecutor",
    "Isolation",
    "Model",
    "ModelState",
    "ModelVariant",
    "OnnxExecutor",
    "OnnxRuntime",
    "OpenVino",
    "OpenVinoExecutor",
    "ProcessHealth",
    "ProtocolError",
    "PythonExecutor",
    "PythonModel",
    "Remote",
    "RemoteExecutor",
    "Repository",
    "Rollback",
    "Rollout",
    "Rules",
    "Shadow",
    "Signature",
    "Simulated",
    "SimulatedExecutor",
    "array_of",
    "blank",
    "check_agreement",
    "check_golden",
    "datatype_of",
    "digest_of",
    "listed",
    "load_executors",
    "load_runners",
    "look_at",
    "profiled_sessions",
    "raw_of",
    "runners",
    "sweep",
    "unlisted",
    "write_manifest",
]

"""Models on another machine, asked by the Open Inference Protocol, version 2."""

from streamproc.executors.remote.errors import RemoteError as ProtocolError
from streamproc.executors.remote.executor import RemoteExecutor
from streamproc.executors.remote.options import Remote
from streamproc.executors.remote.tensors import array_of, datatype_of, listed, raw_of, unlisted

__all__ = [
    "ProtocolError",
    "Remote",
    "RemoteExecutor",
    "array_of",
    "datatype_of",
    "listed",
    "raw_of",
    "unlisted",
]

"""Models on another machine, asked by the Open Inference Protocol, version 2."""

from streamproc.executors.remote.executor import RemoteExecutor
from streamproc.executors.remote.options import Remote

__all__ = ["Remote", "RemoteExecutor"]

"""The model's side: a process that loads it, runs what it is given, and does nothing else."""

import contextlib
import ctypes
import os
import pickle
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from streamproc.core import Columns, ConfigError, Executor, SystemClock
from streamproc.executors.blank import blank
from streamproc.executors.isolated.arena import Arena
from streamproc.executors.isolated.life import Job
from streamproc.executors.isolated.messages import (
    MESSAGE_BYTES_MAX,
    TEXT_MAX,
    Answer,
    Raised,
    Ready,
    Refused,
    decode_order,
    encode,
)
from streamproc.executors.options import ModelVariant, PythonModel

if TYPE_CHECKING:
    from streamproc.executors.models import Rules
    from streamproc.executors.wiring import Wires

_PR_SET_PDEATHSIG = 1
_OOM_SCORE = "500"
"""Of 1000: where the machine has no memory left, the kernel kills this before the service."""
_LEAST_NICE = 19
_NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "out of memory")
"""What onnxruntime says, whose exceptions have no type for it."""


def main(channel: int, inbox: int, outbox: int, parent: int) -> None:
    """Run a model until the parent is gone.

    Args:
        channel: the file descriptor of our end of the channel.
        inbox: of the arena that we read.
        outbox: of the arena that we write.
        parent: the process at the other end.
    """
    _obey_nobody_but(parent)
    for fd in (channel, inbox, outbox):
        os.set_inheritable(fd, False)  # noqa: FBT003 - as os wants it
    end = socket.socket(fileno=channel)
    job = cast("Job", pickle.loads(end.recv(MESSAGE_BYTES_MAX)))  # noqa: S301 - of our own parent
    try:
        executor = _load(job)
    except ConfigError as error:
        end.send(encode(Refused(list(error.problems))))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the user's model may raise anything
        end.send(encode(_raised(error)))
        sys.exit(1)
    if job.background:
        _let_others_go_first()
    end.send(encode(Ready(executor.info, executor.inline)))
    # What onnxruntime reads it has done with when it answers; a user's function may keep it.
    copy = isinstance(cast("ModelVariant", job.model).executor, PythonModel)
    _serve(end, executor, Arena(inbox), Arena(outbox), copy=copy)


def _obey_nobody_but(parent: int) -> None:
    """Signals of a terminal or a supervisor are for the parent; its end is ours, whatever we are doing then."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    with contextlib.suppress(OSError):  # where it is not allowed, the kernel chooses as it likes
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")


def _let_others_go_first() -> None:
    """Once it is loaded, or a busy machine would let it load for ever; the threads that the model made included."""
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # one that has ended
            os.setpriority(os.PRIO_PROCESS, int(thread.name), _LEAST_NICE)


def _load(job: Job) -> Executor:
    """The model, loaded and warm, within its memory."""
    from streamproc.executors.load import load_variant  # noqa: PLC0415 - it knows this package

    if job.memory_limit is not None:
        # Not RLIMIT_AS: what is only reserved (threads, a GPU's address space) and what is shared would count.
        resource.setrlimit(resource.RLIMIT_DATA, (job.memory_limit, job.memory_limit))
    executor = load_variant(
        cast("ModelVariant", job.model),
        job.key,
        SystemClock(),
        cast("Rules", job.rules),
        cast("Wires", job.wires),
    )
    if executor.info.inputs:
        executor.run(blank(executor.info, 1))
    return executor


def _serve(
    end: socket.socket, executor: Executor, inbox: Arena, outbox: Arena, *, copy: bool
) -> None:
    while message := end.recv(MESSAGE_BYTES_MAX):
        try:
            outputs: Columns = executor.run(inbox.read(decode_order(message).tensors, copy=copy))
            report = encode(Answer(outbox.write(outputs)))
        except Exception as error:  # noqa: BLE001 - a model may raise anything
            report = encode(_raised(error))
        end.send(report)


def _raised(error: Exception) -> Raised:
    try:
        words = str(error)
    except Exception:  # noqa: BLE001 - the user's exception may raise itself
        words = ""
    text = f"{type(error).__name__}: {words}" if words else type(error).__name__
    no_memory = isinstance(error, MemoryError) or any(sign in text for sign in _NO_MEMORY)
    return Raised(text[:TEXT_MAX], no_memory)

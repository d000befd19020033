"""One process of a model, as its parent sees it: started, asked, killed."""

import contextlib
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from streamproc.core import (
    NS_PER_MS,
    Columns,
    ConfigError,
    Duration,
    ExternalError,
    ModelError,
    ModelInfo,
    Reason,
    Size,
)
from streamproc.executors.isolated.arena import Arena
from streamproc.executors.isolated.messages import (
    MESSAGE_BYTES_MAX,
    Answer,
    Batch,
    Raised,
    Ready,
    Refused,
    Report,
    decode_report,
    encode,
)

_PROGRAM = """\
import sys
sys.path[:] = {path!r}
from streamproc.executors.isolated.child import main
main(channel={channel}, inbox={inbox}, outbox={outbox}, parent={parent})
"""
_STDERR = 2


@dataclass(frozen=True, slots=True)
class Job:
    """What a model's process runs.

    Attributes:
        model: the variant and what runs it, as ``load_variant`` takes it; goes as a pickle to the child.
        rules: what its files must keep to, as ``load_variant`` takes it.
        key: where it stands in the configuration.
        memory_limit: bytes of its own; None for no limit.
        background: whether it only gets what processor time nobody else wants.
    """

    model: object
    rules: object
    key: str
    memory_limit: Size | None
    background: bool = False


class ModelRaisedError(Exception):
    """The model itself raised, in its process; the text is the exception's type and message."""


class GoneError(Exception):
    """The process was dead before it was asked: the batch has nothing to do with it."""


class Life:
    """A process that runs a job; used by one thread at a time.

    Args:
        job: what it runs.

    Attributes:
        pid: its number.
        pidfd: becomes readable when it is dead.
        was_killed: True once it is known that a SIGKILL ended it, and not ours: an operator's, or the kernel's.

    Raises:
        OSError: the machine has no room for it.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._inbox, self._outbox = Arena.create(), Arena.create()
        # Whole messages, and the end of the other side is seen at once.
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        handles = [theirs.fileno(), self._inbox.fd, self._outbox.fd]
        program = _PROGRAM.format(
            path=sys.path,
            channel=handles[0],
            inbox=handles[1],
            outbox=handles[2],
            parent=os.getpid(),
        )
        try:
            with theirs, _signals_held():
                self._process = subprocess.Popen(  # noqa: S603 - it keeps the signal mask
                    [sys.executable, "-c", program],
                    stdin=subprocess.DEVNULL,
                    stdout=_STDERR,  # ours may be one JSON object
                    pass_fds=handles,
                )
        except OSError:
            self._let_go()
            raise
        self.pid = self._process.pid
        self.pidfd = os.pidfd_open(self.pid)
        self._ended: str | None = None
        self.was_killed = False
        self._given_up = False
        with contextlib.suppress(OSError):  # one that is dead already is noticed soon
            self._channel.send(pickle.dumps(job))

    def ready(self, timeout: Duration) -> tuple[ModelInfo, bool]:
        """Wait until the model is loaded and warm.

        Returns:
            what it is, and whether it only computes.

        Raises:
            ConfigError: the model does not load.
            ExternalError: the process died, or took too long.
        """
        try:
            report = self._hear(timeout, doing="while it loaded the model")
        except ModelError as error:
            msg = f"the model's process did not start: {error}"
            raise ExternalError(msg) from None
        match report:
            case Ready(info=info, inline=inline):
                return info, inline
            case Refused(problems=problems):
                raise ConfigError(*problems)
            case Raised(text=text):
                msg = f"the model's process did not start: {text}"
                raise ExternalError(msg)
            case _:
                msg = f"the model's process (pid {self.pid}) said {type(report).__name__} first"
                raise ExternalError(msg)

    def run(self, inputs: Columns, timeout: Duration) -> Columns:
        """The model's outputs for a batch.

        Raises:
            ModelError: the process died or hung; it is of no use any more.
            ModelRaisedError: the model raised, and can be asked again.
            GoneError: the process was dead already.
            TypeError: an input cannot go to another process.
        """
        tensors = self._inbox.write(inputs)
        try:
            self._channel.send(encode(Batch(tensors)))
        except OSError as error:
            raise GoneError from error
        report = self._hear(timeout, doing="while it ran a batch")
        match report:
            case Answer(tensors=answered):
                try:
                    return self._outbox.read(answered, copy=True)
                except (ValueError, TypeError) as error:
                    detail = f"the model's process (pid {self.pid}) gave nonsense: {error}"
                    raise ModelError(Reason.MODEL_CRASHED, detail) from error
            case Raised(text=text, out_of_memory=False):
                raise ModelRaisedError(text)
            case Raised(text=text):
                limit = self._job.memory_limit
                why = f" (isolation.memory_limit is {limit})" if limit is not None else ""
                raise ModelError(Reason.MODEL_CRASHED, f"the model is out of memory{why}: {text}")
            case _:
                detail = f"the model's process (pid {self.pid}) said {type(report).__name__}"
                raise ModelError(Reason.MODEL_CRASHED, detail)

    def kill(self) -> None:
        """SIGKILL; whoever waits for its answer hears that it is dead."""
        self._given_up = True
        self._process.kill()

    def bury(self) -> None:
        """Kill it if it lives, and free what it held."""
        self._end()
        os.close(self.pidfd)
        self._let_go()

    def end_in_words(self) -> str:
        """How it ended; it is killed if it has not."""
        return self._end()

    def _hear(self, timeout: Duration, *, doing: str) -> Report:
        """Its next report.

        Raises:
            ModelError: it is dead, or says nothing in time.
        """
        poller = select.poll()
        poller.register(self._channel, select.POLLIN)
        poller.register(self.pidfd, select.POLLIN)  # the channel may be held by a child of its own
        happened = poller.poll(timeout / NS_PER_MS)
        if not happened:
            detail = f"no answer within {timeout} {doing}: process {self.pid} was killed"
            raise ModelError(Reason.MODEL_TIMEOUT, detail)
        try:
            content = self._channel.recv(MESSAGE_BYTES_MAX, socket.MSG_DONTWAIT)
        except OSError:  # nothing was said before it died
            content = b""
        if not content:
            detail = f"the model's process (pid {self.pid}) {self._end()} {doing}"
            raise ModelError(Reason.MODEL_CRASHED, detail)
        try:
            report: Report = decode_report(content)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            detail = f"the model's process (pid {self.pid}) cannot be understood: {error}"
            raise ModelError(Reason.MODEL_CRASHED, detail) from error
        return report

    def _end(self) -> str:
        if self._ended is None:
            dead = select.poll()
            dead.register(self.pidfd, select.POLLIN)
            is_dead = bool(dead.poll(_LAST_BREATH_MS))  # its channel may close a moment before
            if not is_dead:
                self._process.kill()
            code = self._process.wait()
            self.was_killed = is_dead and not self._given_up and code == -signal.SIGKILL
            self._ended = f"ended with exit code {code}"
            if code < 0:
                self._ended = f"was killed by {signal.Signals(-code).name}"
        return self._ended

    def _let_go(self) -> None:
        self._channel.close()
        self._inbox.close()
        self._outbox.close()


_LAST_BREATH_MS = 50


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """A process started inside gets a group's Ctrl-C or SIGTERM only once it has said what it does with them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

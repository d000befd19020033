"""Real programs beside the tests: a free port, a start, a wait with a deadline, a stop that leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

PATIENCE_S = 120.0
"""How long a test waits for what comes in a second or two: a machine that is very busy takes a minute to start some
processes. Only a test that fails waits for so long."""

# Below the ports that Linux gives to outgoing connections (32768 and up). From there, a client that tries again
# and again to reach a stopped server on loopback can be given the server's own port, connect to itself, and
# keep the port from the server that comes back.
_PORTS = range(20_000, 30_000)


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    for _ in range(200):
        port = secrets.choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    msg = f"no free port found among {_PORTS.start}-{_PORTS.stop}"
    raise RuntimeError(msg)


def wait_until(
    what: str, check: Callable[[], T], timeout_s: float = PATIENCE_S, every_s: float = 0.05
) -> T:
    """Ask ``check`` until its answer is true, and give that answer back.

    An exception counts as "not yet"; the last one is the cause of the TimeoutError.

    Raises:
        TimeoutError: it did not become true in time; the text ends with the last answer.
    """
    end = time.monotonic() + timeout_s
    while True:
        failure: Exception | None = None
        answer: T | None = None
        try:
            answer = check()
        except Exception as error:  # noqa: BLE001 - whatever it is, it may pass
            failure = error
        if answer:
            return answer
        if time.monotonic() > end:
            msg = f"{what}: not after {timeout_s:g} s; the last answer was {failure or answer!r}"
            raise TimeoutError(msg) from failure
        time.sleep(every_s)


class Background:
    """A program in a process group of its own, with its output in a file."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        stdout: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Start it.

        Args:
            argv: the program and its arguments.
            log: where its output is appended to, or only stderr if ``stdout`` is given.
            stdout: a file for the standard output alone.
            env: variables beside those of this process.
        """
        self.log = log
        with log.open("ab") as errors, (stdout or log).open("ab") as output:
            self.process = subprocess.Popen(
                [*_with_us(), *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def log_tail(self, chars: int = 3_000) -> str:
        return self.log.read_text(errors="replace")[-chars:]

    def stop(self, timeout_s: float = 20.0) -> int:
        """SIGTERM to its group, and SIGKILL if that is not enough; gives back the exit status."""
        if self.running:
            os.killpg(self.pid, signal.SIGTERM)
            try:
                return self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                return self.kill()
        return self.process.returncode

    def kill(self) -> int:
        """SIGKILL to its group, as a crash would be; gives back the exit status."""
        if self.running:
            os.killpg(self.pid, signal.SIGKILL)
        return self.process.wait()


def _with_us() -> list[str]:
    """A prefix by which the program ends when this process is killed; Linux only, and only there needed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def descendants(pid: int) -> dict[int, str]:
    """The living children of a process, and theirs: pid and command line; Linux only."""
    found: dict[int, str] = {}
    left = [pid]
    while left:
        with contextlib.suppress(OSError):  # it ended meanwhile
            for thread in Path(f"/proc/{left.pop()}/task").iterdir():
                for child in map(int, (thread / "children").read_text().split()):
                    line = Path(f"/proc/{child}/cmdline").read_bytes()
                    found[child] = line.replace(b"\0", b" ").decode(errors="replace")
                    left.append(child)
    return found

"""Samples the Python of a process from outside, with py-spy: what is looked at does not get slower by it.

https://github.com/benfred/py-spy. Of the others pyinstrument runs inside the process and only where it was started with it,
and scalene has to start the program; this one looks at a pipeline that runs already.
"""

import contextlib
import shutil
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from streamproc.reports import read_stacks

_END_S: Final = 30.0


@dataclass(slots=True)
class Spied:
    """What was seen.

    Attributes:
        stacks: samples by stack; empty where nothing was.
        lacking: why not; empty where it was.
    """

    stacks: Counter[tuple[str, ...]] = field(default_factory=Counter)
    lacking: str = ""


class PySpy:
    """Samples a process while a ``with`` block runs.

    Args:
        pid: the process; those that it started are looked at, too.
        folder: for its file.
        rate: samples a second.

    Attributes:
        seen: what was seen, once the block has ended.
    """

    def __init__(self, pid: int, folder: Path, *, rate: int = 200) -> None:
        self.seen = Spied()
        self._path = folder / "stacks.txt"
        self._pid = pid
        self._rate = rate
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        program = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which(
            "py-spy"
        )
        if program is None:
            self.seen.lacking = "py-spy is not installed: pip install 'streamproc[profile]'"
            return self
        self._process = subprocess.Popen(  # noqa: S603 - its own arguments
            [
                program,
                "record",
                *("--pid", str(self._pid), "--rate", str(self._rate), "--subprocesses"),
                *("--format", "raw", "--function", "--nonblocking", "--output", str(self._path)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)  # it writes what it has
        try:
            _, said = process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            _, said = process.communicate()
        if self._path.exists():
            self.seen.stacks = read_stacks(self._path)
        if not self.seen.stacks:
            last = (said.strip().splitlines() or ["it saw nothing"])[-1]
            self.seen.lacking = f"py-spy could not look at process {self._pid}: {last}"

"""The other end of ``outside``: starts it, tells it what to do, and takes what it says."""

import asyncio
import contextlib
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from streamproc.core import ExternalError
from streamproc.replay.audit import Seen

_START_TIMEOUT_S = 30.0
_SEEN_TIMEOUT_S = 20.0
_END_TIMEOUT_S = 3.0
_ERROR_CHARS = 400


@dataclass(frozen=True, slots=True)
class OutsideWork:
    """What is to be played, and what is to be read.

    Attributes:
        servers: the broker.
        recording: the file.
        events: the topic that it is played into.
        decisions: the topic that is read.
        speed: how many times quicker than it was.
        count: how many events are played; the recording is repeated where it has fewer.
        pause_ns: how long the player waits at least between two sends.
    """

    servers: str
    recording: Path
    events: str
    decisions: str
    speed: float
    count: int
    pause_ns: int

    def to_json(self) -> str:
        """As a command's argument."""
        return json.dumps({**asdict(self), "recording": str(self.recording)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From a command's argument."""
        values = json.loads(text)
        return cls(**{**values, "recording": Path(values["recording"])})


class OutsideProcess:
    """The world around a pipeline, for as long as the ``async with`` block lasts.

    Args:
        job: what it does.
    """

    def __init__(self, job: OutsideWork) -> None:
        self._job = job
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        """Start it; it connects by itself."""
        path = os.pathsep.join(
            p for p in sys.path if p
        )  # the same modules as here, wherever we run
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "streamproc.replay.outside", self._job.to_json()),
            env={**os.environ, "PYTHONPATH": path},
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it; it ends by itself when its input is closed."""
        process = self._running
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_END_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    @property
    def _running(self) -> Process:
        if self._process is None:
            msg = "the process is started by `async with`"
            raise RuntimeError(msg)
        return self._process

    async def ready(self) -> None:
        """Wait until it is connected.

        Raises:
            ExternalError: it could not.
        """
        await self._hear("ready", _START_TIMEOUT_S)

    async def play(self) -> dict[str, Any]:
        """Let it play; gives its report when it has.

        Raises:
            ExternalError: it failed.
        """
        self._tell("go")
        return await self._hear("played", None)

    def stop_playing(self) -> None:
        """Let it end early; ``play`` then gives the report."""
        self._tell("stop")

    async def seen(self) -> Seen:
        """Let it read the decisions to their end; what it has seen.

        Raises:
            ExternalError: it failed.
        """
        self._tell("finish")
        return Seen.from_dict(await self._hear("seen", _SEEN_TIMEOUT_S))

    def _tell(self, word: str) -> None:
        stdin = self._running.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.write(f"{word}\n".encode())

    async def _hear(self, kind: str, timeout_s: float | None) -> dict[str, Any]:
        stdout = self._running.stdout
        line = b""
        try:
            async with asyncio.timeout(timeout_s):
                line = await stdout.readline() if stdout is not None else b""
        except TimeoutError:
            msg = f"the process that plays the recording did not say {kind!r} in {timeout_s:g} s"
            raise ExternalError(msg) from None
        said: dict[str, Any] = json.loads(line) if line else {"event": "failed"}
        if said.pop("event") != kind:
            why = said.get("error") or await self._last_words()
            msg = f"the process that plays the recording failed: {why}"
            raise ExternalError(msg)
        return said

    async def _last_words(self) -> str:
        stderr = self._running.stderr
        if stderr is None:
            return "it said nothing"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_TIMEOUT_S):
                text = (await stderr.read()).decode(errors="replace").strip()
                return text[-_ERROR_CHARS:] or "it said nothing"
        return "it said nothing"

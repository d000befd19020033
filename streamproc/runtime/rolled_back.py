"""Canaries that were taken back, in a file: so that a restart, or another worker, does not try them again.

The file is written as soon as one is taken back, and replaced as a whole. It is looked at once a second: what another
worker wrote holds here too. Whether it is about the canary that runs is a matter of its identity (``identity_of``):
another file of a model, or other settings, is another canary. Who removes the file tries them again, from the next
reload or restart on.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from streamproc.core import NS_PER_S, Clock, write_whole
from streamproc.engine import Engine, Verdict
from streamproc.executors import Rollout

log = logging.getLogger(__name__)

BEFORE: Final = "before"
"""Why a canary is taken back that was taken back already, in another life or by another worker."""
_FORM: Final = 1
_KEPT: Final = 32
"""Canaries that are remembered; the oldest go first."""
_BYTES_MAX: Final = 1 << 20
_LOOK_EVERY_S: Final = 1.0


class TakenBackEntry(msgspec.Struct, frozen=True):
    """A canary that was taken back.

    Attributes:
        canary: its name.
        identity: see ``identity_of``.
        reason: why, in a word.
        words: the same, for people.
        at: when, in UTC.
    """

    canary: str
    identity: str
    reason: str
    words: str
    at: str


class _File(msgspec.Struct, frozen=True):
    form: int
    taken_back: list[TakenBackEntry]


def read_entries(path: Path) -> dict[str, TakenBackEntry]:
    """What the file says, by identity; nothing where there is none.

    Raises:
        ValueError: it cannot be read, or is no such file.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
        found = msgspec.json.decode(data, type=_File)
    except FileNotFoundError:
        return {}
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}"
        raise ValueError(msg) from error
    except ValueError as error:  # msgspec's errors are ValueErrors
        msg = f"{path} is not what was written: {error}"
        raise ValueError(msg) from error
    if found.form != _FORM:
        msg = f"{path} has form {found.form}, and {_FORM} is known here"
        raise ValueError(msg)
    return {entry.identity: entry for entry in found.taken_back}


class RolledBack:
    """Belongs to the event loop of one running pipeline; where no file is asked for, it does nothing.

    Args:
        engine: of the pipeline.
        clock: its time.
        rollout: what the user wants of a rollout now.
    """

    def __init__(self, engine: Engine, clock: Clock, rollout: Callable[[], Rollout | None]) -> None:
        self._engine = engine
        self._clock = clock
        self._rollout = rollout
        self._file: Path | None = None
        self._seen: set[str] = set()
        """Those of whom the file knows, or did."""
        self._warned = ""

    def obey(self) -> None:
        """Take the canary back if it was before; where that cannot be known, too, for that harms nobody."""
        path = self._path
        if path is None or self._engine.rollout.canary is None:
            return
        try:
            entries = read_entries(path)
        except ValueError as error:
            self._seen.add(self._engine.rollout.canary)
            words = f"rollout.state: {error}; remove it to try the canary"
            self._engine.roll_back(Verdict(BEFORE, words))
        else:
            self._hold_to(path, entries)

    def undone(self) -> bool:
        """Forgive those whom somebody took out of the file; whether there are any. The next change of the plan begins them."""
        path = self._path
        if path is None or not self._engine.rollout.taken_back:
            return False
        try:
            entries = read_entries(path)
        except ValueError as error:
            self._warn(str(error))
            return False
        mine = self._engine.rollout.taken_back
        gone = [one for one in mine if one in self._seen and one not in entries]
        for identity in gone:
            log.warning("canary %s is tried again: %s says no more", mine[identity].canary, path)
        self._engine.rollout.forgive(gone)
        self._seen.difference_update(gone)
        return bool(gone)

    async def run(self) -> None:
        """Keep the file and the engine alike until cancelled; what is not written yet is then."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            if (path := self._path) is not None and (new := self._new()):
                self._write(path, new)

    async def _look(self) -> None:
        path = self._path
        if path is None:
            return
        if new := self._new():
            await asyncio.to_thread(self._write, path, new)
        elif self._engine.rollout.canary is not None:
            try:
                entries = await asyncio.to_thread(read_entries, path)
            except ValueError as error:
                self._warn(str(error))
            else:
                self._hold_to(path, entries)

    @property
    def _path(self) -> Path | None:
        rollout = self._rollout()
        path = None if rollout is None or rollout.state is None else Path(rollout.state)
        if path != self._file:  # another one is to know them, too
            self._file = path
            self._seen.clear()
        return path

    def _hold_to(self, path: Path, entries: dict[str, TakenBackEntry]) -> None:
        """Take the canary back if it is among these."""
        entry = entries.get(self._engine.rollout.canary or "")
        if entry is not None:
            self._seen.add(entry.identity)
            words = f"it was already, at {entry.at}: {entry.words}; remove {path} to try it again"
            self._engine.roll_back(Verdict(BEFORE, words))

    def _new(self) -> list[TakenBackEntry]:
        """Those of whom the file does not know yet."""
        taken_back = self._engine.rollout.taken_back
        now = datetime.fromtimestamp(self._clock.now_ns() // NS_PER_S, UTC)
        return [
            TakenBackEntry(one.canary, identity, one.reason, one.words, f"{now:%Y-%m-%dT%H:%M:%SZ}")
            for identity, one in taken_back.items()
            if identity not in self._seen
        ]

    def _write(self, path: Path, new: list[TakenBackEntry]) -> None:
        """Add these to the file; a failure is logged, and tried again."""
        try:
            entries = read_entries(path)
        except ValueError as error:
            self._warn(f"{error}; it is written anew")
            entries = {}
        for entry in new:
            entries.setdefault(entry.identity, entry)
        kept = list(entries.values())[-_KEPT:]
        text = msgspec.json.format(msgspec.json.encode(_File(_FORM, kept)), indent=2)
        try:
            write_whole(path, text + b"\n")
        except OSError as error:
            self._warn(f"{path} cannot be written, so that a restart tries it again: {error}")
        else:
            self._seen.update(entry.identity for entry in new)

    def _warn(self, words: str) -> None:
        """Say it once."""
        if words != self._warned:
            self._warned = words
            log.warning("rollout.state: %s", words)

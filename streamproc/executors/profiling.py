"""onnxruntime's own profile of a session: the time of each operator."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

_FOLDER: ContextVar[Path | None] = ContextVar("profile_folder", default=None)


@contextlib.contextmanager
def profiled_sessions(folder: Path) -> Iterator[None]:
    """Sessions that are made in the block, in this process, write a profile into a folder.

    Args:
        folder: is there.
    """
    before = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(before)


def profile_prefix(variant: str) -> str | None:
    """What the name of a session's profile begins with; None where none is wanted."""
    folder = _FOLDER.get()
    return None if folder is None else str(folder / variant.replace("/", "_"))

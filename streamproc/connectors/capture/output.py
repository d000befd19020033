"""The file under a recording: what is written is with the system at once, so that there is nothing to lose."""

import contextlib
import os
from pathlib import Path


class OutputFile:
    """A file that is written from its beginning; what ``mcap.writer.Writer`` needs of a stream.

    Not one of Python's buffered files: after an error those would write what they still hold, behind what
    was cut off.

    Args:
        path: the file; one that is there is emptied.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._length = 0
        self._whole = 0
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of it.

        Raises:
            OSError: the disk is full, or fails; a part of it may be written.
        """
        left = memoryview(data)
        while left:
            count = os.write(self._handle, left)
            self._length += count
            left = left[count:]
        return len(data)

    def tell(self) -> int:
        """How many bytes were written."""
        return self._length

    def flush(self) -> None:
        """Nothing waits here."""

    def whole(self, *, durable: bool) -> None:
        """What is written so far makes sense by itself.

        Args:
            durable: whether to wait until the disk has it.
        """
        if durable:
            os.fsync(self._handle)
        self._whole = self._length

    def abandon(self) -> None:
        """Close it behind what makes sense by itself."""
        if not self.closed:
            # Where that fails, a reader takes what is behind for a record that was cut.
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._whole)
            self.close()

    def close(self) -> None:
        """Close it."""
        if not self.closed:
            self.closed = True
            os.close(self._handle)

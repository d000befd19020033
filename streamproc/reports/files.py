"""A report's file: whether it can be written is known at the start, and it appears whole or not at all."""

import contextlib
import os
from pathlib import Path

from streamproc.core import ExternalError


class ReportFile:
    """Where a report goes.

    Args:
        path: the file; one that is there is replaced.

    Raises:
        ExternalError: it cannot be written there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._target = path.resolve()
        self._part = self._target.with_name(f".{self._target.name}.{os.getpid()}.part")
        if self._target.exists() and not self._target.is_file():
            msg = f"{path} is no file: name one that the report may replace, such as report.html"
            raise ExternalError(msg)
        try:
            self._part.open("w").close()
            self._part.unlink()
        except OSError as error:
            raise self._refused(error) from error

    def write(self, page: str) -> None:
        """Write the report, whole.

        Raises:
            ExternalError: it cannot be written any more.
        """
        try:
            self._part.write_text(page, encoding="utf-8")
            self._part.replace(self._target)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._part.unlink(missing_ok=True)
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> ExternalError:
        reason = error.strerror or str(error)
        return ExternalError(f"no report can be written to {self.path}: {reason}")

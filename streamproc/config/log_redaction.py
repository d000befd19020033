"""Takes secrets out of whatever is logged, tracebacks of the user's code and of libraries included."""

import logging
from collections.abc import Callable


class RedactingFormatter(logging.Formatter):
    """Formats as another does, and takes secrets out of what that gives.

    Args:
        inner: the other.
        redact: takes them out.
    """

    def __init__(self, inner: logging.Formatter, redact: Callable[[str], str]) -> None:
        super().__init__()
        self.inner = inner
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The whole text of a record, with its traceback."""
        return self._redact(self.inner.format(record))


def hide_in_logs(redact: Callable[[str], str]) -> None:
    """Let no handler of the root logger write a secret from now on.

    Args:
        redact: takes secrets out of a text.
    """
    for handler in logging.getLogger().handlers:
        formatter = handler.formatter or logging.Formatter()
        if isinstance(formatter, RedactingFormatter):  # of an earlier configuration
            formatter = formatter.inner
        handler.setFormatter(RedactingFormatter(formatter, redact))

"""How large a record's key and headers may be: looked at before anything is made of them."""

from dataclasses import dataclass

from streamproc.core import Headers, Reason, RecordBatch, RecordError, Size


@dataclass(frozen=True, slots=True)
class Limits:
    """What a record may be at most, beside its value; one that is more becomes a dead letter, unread.

    Attributes:
        key: bytes of a key.
        headers: how many headers.
        header_bytes: bytes of all headers, names and values.
    """

    key: Size = Size.parse("64KiB")  # noqa: RUF009 - immutable
    headers: int = 64
    header_bytes: Size = Size.parse("64KiB")  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        if self.headers < 0:
            msg = f"headers must not be negative, was {self.headers}"
            raise ValueError(msg)

    def refusals(self, batch: RecordBatch) -> dict[int, RecordError]:
        """The records that are more, by their number in the batch."""
        found: dict[int, RecordError] = {}
        for row, headers in batch.headers.items():
            if (text := self._too_much(headers)) is not None:
                found[row] = RecordError(Reason.TOO_LARGE, text)
        if max(map(len, filter(None, batch.key)), default=0) > self.key:
            for row, key in enumerate(batch.key):
                if key is not None and len(key) > self.key:
                    text = f"the key has {len(key)} bytes, the limit is {int(self.key)}"
                    found[row] = RecordError(Reason.TOO_LARGE, text)
        return found

    def _too_much(self, headers: Headers) -> str | None:
        if len(headers) > self.headers:
            return f"the record has {len(headers)} headers, the limit is {self.headers}"
        size = 0
        for name, value in headers:
            size += len(name) + len(value or b"")
        if size > self.header_bytes:
            return f"the headers have {size} bytes, the limit is {int(self.header_bytes)}"
        return None

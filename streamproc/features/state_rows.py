"""What is remembered of a key, as bytes: to be kept somewhere else, and put back."""

import hashlib
import sys
from collections.abc import Callable, Sequence

import numpy as np

from streamproc.core import Array, Int64Array

_DIGEST_BYTES = 8


class StateRows:
    """Packs the rows of tables, side by side, into bytes.

    Args:
        tables: gives the tables, each [slots, ...], always in one order; they are others once there are more slots.
        layout: what their numbers mean, in words.

    Attributes:
        layout: the same as a number: bytes of another layout are of no use.
        bytes_a_row: of each row.
    """

    def __init__(self, tables: Callable[[], Sequence[Array]], layout: str) -> None:
        self._tables = tables
        kinds = [f"{table.dtype.str}{list(table.shape[1:])}" for table in tables()]
        text = "\n".join([layout, *kinds, sys.byteorder])
        self.layout = int.from_bytes(hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES])
        self._sizes = [t.dtype.itemsize * int(np.prod(t.shape[1:])) for t in tables()]
        self.bytes_a_row = sum(self._sizes)

    def pack(self, slots: Int64Array) -> list[bytes]:
        """The rows of these slots."""
        count, size = len(slots), self.bytes_a_row
        taken = [
            np.ascontiguousarray(table[slots]).reshape(count, -1).view(np.uint8)
            for table in self._tables()
        ]
        packed = np.concatenate(taken, axis=1).tobytes()
        return [packed[start : start + size] for start in range(0, count * size, size)]

    def unpack(self, slots: Int64Array, rows: Sequence[bytes]) -> None:
        """Put rows into these slots."""
        packed = np.frombuffer(b"".join(rows), np.uint8).reshape(len(slots), self.bytes_a_row)
        start = 0
        for table, size in zip(self._tables(), self._sizes, strict=True):
            part = np.ascontiguousarray(packed[:, start : start + size])
            table[slots] = part.view(table.dtype).reshape(len(slots), *table.shape[1:])
            start += size

"""Streams of Arrow IPC whose beginnings are alike.

A stream is the schema's message, the dictionaries', the record batch's and an end
(https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format). A writer makes all of it anew each time; where
many streams have one schema and the same dictionaries, all but the record batch is made once.
"""

from collections.abc import Hashable
from typing import Any

import pyarrow as pa

_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_HEADS_MAX = 1_024
"""Beginnings that are remembered, about 2 kB each; when there are more, all are forgotten."""


def to_stream(batch: Any, **options: Any) -> bytes:  # noqa: ANN401 - pyarrow has no types
    """One record batch as an IPC stream."""
    out = pa.BufferOutputStream()
    # A record is small: handing its columns to threads costs fifteen times what compressing them here does.
    how = pa.ipc.IpcWriteOptions(use_threads=False, **options)
    with pa.ipc.new_stream(out, batch.schema, options=how) as writer:
        writer.write_batch(batch)
    made: bytes = out.getvalue().to_pybytes()
    return made


class StreamWriter:
    """Writes streams of one record batch, uncompressed; byte by byte what ``to_stream`` gives."""

    def __init__(self) -> None:
        self._heads: dict[Hashable, tuple[Any, bytes]] = {}

    def write(self, kind: Hashable, arrays: dict[str, Any], metadata: dict[str, str]) -> bytes:
        """A stream.

        Args:
            kind: the same for batches whose types, metadata and dictionaries are the same, and for no others.
            arrays: the columns by name, each an Arrow array [n].
            metadata: of the schema.
        """
        known = self._heads.get(kind)
        if known is None:
            batch = pa.RecordBatch.from_pydict(arrays, metadata=metadata)
            stream = to_stream(batch)
            message = batch.serialize()
            if not stream.endswith(message.to_pybytes() + _END):
                return stream  # pyarrow is another than we know
            if len(self._heads) >= _HEADS_MAX:
                self._heads.clear()
            self._heads[kind] = batch.schema, stream[: -(message.size + len(_END))]
            return stream
        schema, head = known
        batch = pa.RecordBatch.from_arrays(list(arrays.values()), schema=schema)
        return b"".join((head, batch.serialize(), _END))

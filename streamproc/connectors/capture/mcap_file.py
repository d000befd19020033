"""Writes an MCAP file: the records are the mcap package's, the chunks are made here.

The package's own ``Writer`` takes 4.4 us a message, most of it in objects and small writes; here a message is
one packed head and its bytes (1 us), and a chunk is put together at once. Schemas and channels stand before
the chunks that use them, not inside one, so that a chunk that is damaged or passed over takes nothing else
with it. The format is that of https://mcap.dev/spec.
"""

import struct
import zlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import numpy as np
import zstandard
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)

from streamproc.connectors.capture.output import OutputFile

MAGIC: Final = b"\x89MCAP0\r\n"
_MESSAGE: Final = struct.Struct("<BQHIQQ")
_FIXED: Final = 22
"""A message's channel, sequence and two times."""
_INDEX: Final = struct.Struct("<BQHI")
_FOOTER: Final = struct.Struct("<BQQQ")
_FOOTER_LENGTH: Final = 20
_LEVEL: Final = 1
"""Of compression: 3, the usual one, takes twice the time for a tenth of the size."""
_COMPRESSION: Final = "zstd"


class McapFile:
    """One file.

    Args:
        output: where to.
        library: what the header says of the writer.
    """

    def __init__(self, output: OutputFile, library: str) -> None:
        self._output = output
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self._schemas: dict[str, Schema] = {}
        self._channels: dict[str, Channel] = {}
        self._counts: dict[int, int] = {}
        self._chunks: list[ChunkIndex] = []
        self._metadata: list[MetadataIndex] = []
        self._first_ns: int | None = None
        self._last_ns = 0
        self._new_chunk()
        output.write(MAGIC + _bytes_of(Header("", library)))

    @property
    def waiting_bytes(self) -> int:
        """The length of the chunk that is being made."""
        return self._length

    def metadata(self, name: str, values: dict[str, str]) -> None:
        """Write a metadata record."""
        body = _bytes_of(Metadata(name=name, metadata=values))
        self._metadata.append(MetadataIndex(self._output.tell(), len(body), name))
        self._output.write(body)

    def channel(self, topic: str, schema: str, descriptors: bytes) -> int:
        """A channel's id; it is written when it is first asked for.

        Args:
            topic: its name.
            schema: the name of its messages' protobuf type.
            descriptors: that describe them, a ``FileDescriptorSet``.
        """
        found = self._channels.get(topic)
        if found is None:
            kind = self._schemas.get(schema)
            if kind is None:
                kind = Schema(len(self._schemas) + 1, descriptors, "protobuf", schema)
                self._output.write(_bytes_of(kind))
                self._schemas[schema] = kind
            found = Channel(len(self._channels) + 1, topic, "protobuf", {}, kind.id)
            self._output.write(_bytes_of(found))
            self._channels[topic] = found
            self._counts[found.id] = 0
        return found.id

    def add(self, channel: int, log_time_ns: int, publish_ns: int, data: bytes) -> None:
        """Put a message into the chunk."""
        length = len(data) + _FIXED
        head = _MESSAGE.pack(Opcode.MESSAGE, length, channel, 0, log_time_ns, publish_ns)
        self._parts += (head, data)
        self._entries[channel] += (log_time_ns, self._length)
        self._length += length + 9  # the head's own opcode and length

    def flush(self) -> None:
        """Write the chunk, if it holds anything."""
        if not self._parts:
            return
        content = b"".join(self._parts)
        indexes = {
            number: np.array(entries, np.uint64).reshape(-1, 2)
            for number, entries in self._entries.items()
        }
        first_ns = int(min(index[:, 0].min() for index in indexes.values()))
        last_ns = int(max(index[:, 0].max() for index in indexes.values()))
        packed = self._compressor.compress(content)
        chunk = _bytes_of(
            Chunk(_COMPRESSION, packed, last_ns, first_ns, zlib.crc32(content), len(content))
        )
        start = self._output.tell()
        offsets: dict[int, int] = {}
        behind = start + len(chunk)
        bodies = [chunk]
        for number, index in indexes.items():
            entries = index.astype("<u8").tobytes()
            offsets[number] = behind
            head = _INDEX.pack(Opcode.MESSAGE_INDEX, len(entries) + 6, number, len(entries))
            bodies += (head, entries)
            behind += len(head) + len(entries)
            self._counts[number] += len(index)
        self._new_chunk()
        self._output.write(b"".join(bodies))
        self._chunks.append(
            ChunkIndex(
                chunk_length=len(chunk),
                chunk_start_offset=start,
                compression=_COMPRESSION,
                compressed_size=len(packed),
                message_end_time=last_ns,
                message_index_length=behind - start - len(chunk),
                message_index_offsets=offsets,
                message_start_time=first_ns,
                uncompressed_size=len(content),
            )
        )
        self._first_ns = first_ns if self._first_ns is None else min(self._first_ns, first_ns)
        self._last_ns = max(self._last_ns, last_ns)

    def finish(self) -> None:
        """Write the chunk, then what lets tools find everything at once: the file is complete."""
        self.flush()
        self._output.write(_bytes_of(DataEnd(0)))
        start = self._output.tell()
        parts: list[bytes] = []
        groups: list[SummaryOffset] = []
        at = start
        for opcode, records in self._summary():
            body = b"".join(map(_bytes_of, records))
            if body:
                groups.append(SummaryOffset(opcode, at, len(body)))
                parts.append(body)
                at += len(body)
        summary = b"".join((*parts, *map(_bytes_of, groups)))
        head = _FOOTER.pack(Opcode.FOOTER, _FOOTER_LENGTH, start, at)
        footer = Footer(start, at, zlib.crc32(head, zlib.crc32(summary)))
        self._output.write(summary + _bytes_of(footer) + MAGIC)

    def _summary(self) -> Iterable[tuple[int, Iterable[McapRecord]]]:
        yield Opcode.SCHEMA, self._schemas.values()
        yield Opcode.CHANNEL, self._channels.values()
        statistics = Statistics(
            attachment_count=0,
            channel_count=len(self._channels),
            channel_message_counts=self._counts,
            chunk_count=len(self._chunks),
            message_count=sum(self._counts.values()),
            message_end_time=self._last_ns,
            message_start_time=self._first_ns or 0,
            metadata_count=len(self._metadata),
            schema_count=len(self._schemas),
        )
        yield Opcode.STATISTICS, (statistics,)
        yield Opcode.CHUNK_INDEX, self._chunks
        yield Opcode.METADATA_INDEX, self._metadata

    def _new_chunk(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0
        self._entries: defaultdict[int, list[int]] = defaultdict(list)
        """By channel, log time and place of each message, one behind the other."""


def _bytes_of(record: McapRecord) -> bytes:
    builder = RecordBuilder()
    record.write(builder)
    made: bytes = builder.end()  # type: ignore[no-untyped-call]
    return made

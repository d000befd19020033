"""Reads an MCAP file from its beginning as far as it goes, whatever it was cut at."""

import contextlib
import struct
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import lz4.frame
import zstandard
from mcap.data_stream import ReadDataStream
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import SeekingReader
from mcap.records import Channel, Chunk, Metadata
from mcap.summary import Summary

from streamproc.core import ConfigError

_MAGIC: Final = b"\x89MCAP0\r\n"
_RECORD: Final = struct.Struct("<BQ")
_MESSAGE: Final = struct.Struct("<HIQQ")
_CHUNK_TIMES: Final = struct.Struct("<QQ")
_CHUNK_BYTES_MAX: Final = 1 << 30
"""A longer chunk is taken for a damaged length."""

_BAD: Final = (
    *(ValueError, KeyError, MemoryError, RuntimeError, UnicodeDecodeError),
    *(struct.error, McapError, zstandard.ZstdError),
)
"""What the libraries raise for damaged bytes."""


class RawMessage(NamedTuple):
    """One message.

    Attributes:
        channel: the name of its channel.
        log_time_ns: when it was recorded.
        data: its bytes.
    """

    channel: str
    log_time_ns: int
    data: bytes


class McapScan:
    """One pass over a file.

    Args:
        path: the file.

    Attributes:
        truncated: what is missing, in words; None where the file is complete. Known when the pass is over.
        metadata: the metadata records that were met, by name.

    Raises:
        ConfigError: it is no MCAP file.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.truncated: str | None = None
        self.metadata: dict[str, dict[str, str]] = {}
        self._size = path.stat().st_size

    def messages(
        self,
        wanted: Callable[[str], bool],
        start_ns: int | None = None,
        end_ns: int | None = None,
        *,
        channels: dict[int, str] | None = None,
    ) -> Iterator[RawMessage]:
        """The messages of the wanted channels from ``start_ns`` to before ``end_ns``, in the order of the file.

        Args:
            wanted: is asked once of each channel's name.
            start_ns: the first instant; None for the beginning.
            end_ns: the instant at which it ends; None for the end.
            channels: all channels by id, where they are known: then chunks outside the time are not even read.
        """
        names = {number: name for number, name in (channels or {}).items() if wanted(name)}
        low = 0 if start_ns is None else start_ns
        high = 1 << 64 if end_ns is None else end_ns

        def within(first_ns: int, last_ns: int) -> bool:
            return not channels or (first_ns < high and last_ns >= low)

        with self.path.open("rb") as file:
            for content in self._contents(file, within):
                yield from self._inside(content, names, wanted, low, high)

    def all_metadata(self) -> dict[str, dict[str, str]]:
        """The metadata records that stand before the first chunk."""
        with self.path.open("rb") as file:
            for _ in self._contents(file, lambda *_: False, head_only=True):
                break
        return self.metadata

    def _contents(
        self, file: BinaryIO, within: Callable[[int, int], bool], *, head_only: bool = False
    ) -> Iterator[bytes]:
        """What is in the chunks, and the messages and channels that are in none."""
        for opcode, length in self._records(file):
            match opcode:
                case Opcode.CHUNK if head_only:
                    return
                case Opcode.CHUNK:
                    at = file.tell()
                    times = file.read(_CHUNK_TIMES.size)
                    if len(times) < _CHUNK_TIMES.size or within(*_CHUNK_TIMES.unpack(times)):
                        yield from self._whole(times + file.read(length - len(times)), at)
                case Opcode.MESSAGE | Opcode.CHANNEL | Opcode.SCHEMA:
                    yield _RECORD.pack(opcode, length) + file.read(length)
                case Opcode.METADATA:
                    self._keep(file.read(length))
                case Opcode.DATA_END:
                    self._check_end(file)
                    return
                case _:
                    pass
        yield from self._rest(file)

    def _records(self, file: BinaryIO) -> Iterator[tuple[int, int]]:
        """The kind and length of each record that is whole; the file then stands at its content."""
        magic = file.read(len(_MAGIC))
        if magic != _MAGIC[: len(magic)]:
            msg = f"{self.path} is no MCAP file"
            raise ConfigError(msg)
        position = len(_MAGIC)
        while position + _RECORD.size <= self._size:
            file.seek(position)
            opcode, length = _RECORD.unpack(file.read(_RECORD.size))
            if position + _RECORD.size + length > self._size:
                break
            yield opcode, length
            position += _RECORD.size + length
        file.seek(min(position, self._size))

    def _rest(self, file: BinaryIO) -> Iterator[bytes]:
        """What can be had of the record at which the file ends."""
        position = file.tell()
        head = file.read(_RECORD.size)
        if len(head) < _RECORD.size or head[0] != Opcode.CHUNK:
            self.truncated = self._cut(position, "the record there is incomplete")
            return
        content = _beginning(file.read())
        self.truncated = self._cut(position, "the chunk there is incomplete")
        if content:
            yield content

    def _keep(self, body: bytes) -> None:
        with contextlib.suppress(*_BAD):
            found = Metadata.read(_stream(body))
            self.metadata[found.name] = dict(found.metadata)

    def _whole(self, body: bytes, at: int) -> Iterator[bytes]:
        """The content of a chunk; of a damaged one nothing, as nobody knows which part of it is true."""
        try:
            chunk = Chunk.read(_stream(body))
            content = _decompressed(chunk)
        except _BAD as error:
            self._damaged(at, str(error))
            return
        if chunk.uncompressed_crc and zlib.crc32(content) != chunk.uncompressed_crc:
            self._damaged(at, "its checksum is another")
            return
        yield content

    @staticmethod
    def _inside(
        content: bytes,
        names: dict[int, str],
        wanted: Callable[[str], bool],
        low: int,
        high: int,
    ) -> Iterator[RawMessage]:
        """The wanted messages in a chunk's content, as far as it is whole; ``names`` are the wanted channels."""
        position, size = 0, len(content)
        while position + _RECORD.size <= size:
            opcode, length = _RECORD.unpack_from(content, position)
            start = position + _RECORD.size
            position = start + length
            if position > size:
                return
            if opcode == Opcode.MESSAGE:
                channel, _, log_time_ns, _ = _MESSAGE.unpack_from(content, start)
                name = names.get(channel)
                if name is not None and low <= log_time_ns < high:
                    yield RawMessage(name, log_time_ns, content[start + _MESSAGE.size : position])
            elif opcode == Opcode.CHANNEL:
                with contextlib.suppress(*_BAD):
                    found = Channel.read(_stream(content[start:position]))
                    if wanted(found.topic):
                        names[found.id] = found.topic

    def _check_end(self, file: BinaryIO) -> None:
        """See that the part behind the data is complete."""
        file.seek(max(0, self._size - len(_MAGIC)))
        if file.read() != _MAGIC:
            self.truncated = self.truncated or (
                f"{self.path}: all data is there, but the summary at its end is cut"
            )

    def _cut(self, position: int, what: str) -> str:
        before = f"{self.truncated}; " if self.truncated else ""
        return (
            f"{before}{self.path} is cut at byte {self._size}: {what} (byte {position}), and what followed, if "
            "anything, is missing; the recorder was killed, or is still writing"
        )

    def _damaged(self, at: int, why: str) -> None:
        before = f"{self.truncated}; " if self.truncated else ""
        self.truncated = f"{before}{self.path}: the chunk at byte {at} is damaged ({why}): what was in it is missing"


def summary_of(path: Path) -> Summary | None:
    """The summary at a file's end; None where it is not complete."""
    try:
        with path.open("rb") as file:
            file.seek(-len(_MAGIC), 2)
            if file.read() != _MAGIC:
                return None
            file.seek(0)
            return SeekingReader(file).get_summary()
    except (OSError, *_BAD):
        return None


def _stream(data: bytes) -> ReadDataStream:
    return ReadDataStream(BytesIO(data))


def _decompressed(chunk: Chunk) -> bytes:
    """A chunk's content.

    Raises:
        ValueError: its compression is unknown, or its length cannot be.
    """
    if chunk.uncompressed_size > _CHUNK_BYTES_MAX:
        msg = f"it would have {chunk.uncompressed_size} bytes"
        raise ValueError(msg)
    match chunk.compression:
        case "":
            return bytes(chunk.data)
        case "zstd":
            content: bytes = zstandard.ZstdDecompressor().decompress(
                chunk.data, max_output_size=chunk.uncompressed_size
            )
            return content
        case "lz4":
            unpacked: bytes = lz4.frame.decompress(chunk.data)
            return unpacked
        case other:
            msg = f"its compression {other!r} is unknown"
            raise ValueError(msg)


def _beginning(body: bytes) -> bytes:
    """What can be unpacked of a chunk that is cut: without its checksum, it is taken as it is."""
    fixed = 8 + 8 + 8 + 4
    if len(body) < fixed + 4:
        return b""
    name_length = int.from_bytes(body[fixed : fixed + 4], "little")
    data_at = fixed + 4 + name_length + 8
    compression = body[fixed + 4 : fixed + 4 + name_length]
    data = body[data_at:]
    try:
        if compression == b"zstd":
            return zstandard.ZstdDecompressor().decompressobj().decompress(data)
        if compression == b"lz4":
            return bytes(lz4.frame.LZ4FrameDecompressor().decompress(data))
    except _BAD:
        return b""
    return data if not compression else b""

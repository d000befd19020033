"""How far a partition is done, as an offset and the text that Kafka stores with it.

The text is ``sp1:`` and runs of offsets behind it that are done: how many are not, how many are, and so on, each
as a varint, compressed, in base 85. Brokers take 4096 bytes (``offset.metadata.max.bytes``).
"""

import base64
import binascii
import logging
import zlib

import numpy as np

from streamproc.connectors.kafka.group_requests import StoredOffset
from streamproc.core import Int64Array, Progress

log = logging.getLogger(__name__)

METADATA_MAX = 4096
_MARK = "sp1:"
_SEVEN_BITS = 0x7F
_MORE = 0x80


def to_stored(progress: Progress) -> StoredOffset:
    """As Kafka stores it; the text may be longer than a broker takes, see ``fits``."""
    if not len(progress.beyond):
        return StoredOffset(progress.position, "")
    packed = zlib.compress(b"".join(map(_varint, _runs(progress))), 6)
    return StoredOffset(progress.position, _MARK + base64.b85encode(packed).decode())


def fits(stored: StoredOffset) -> bool:
    """Whether a broker takes it."""
    return len(stored.metadata) <= METADATA_MAX


def from_stored(stored: StoredOffset) -> Progress:
    """As it was stored; a text that somebody else wrote says nothing."""
    nothing = Progress(stored.offset, np.empty(0, np.int64))
    if not stored.metadata.startswith(_MARK):
        return nothing
    try:
        packed = base64.b85decode(stored.metadata[len(_MARK) :])
        runs = _unpacked(zlib.decompress(packed))
    except (ValueError, zlib.error, binascii.Error) as error:
        log.warning("what is stored with offset %d cannot be read: %s", stored.offset, error)
        return nothing
    edges = stored.offset + np.cumsum(runs, dtype=np.int64)
    parts = [np.arange(*edge) for edge in edges.reshape(-1, 2)]
    return Progress(stored.offset, np.concatenate(parts) if parts else nothing.beyond)


def _runs(progress: Progress) -> list[int]:
    """Lengths by turns: of offsets that are not done, or are not there, and of those that are."""
    beyond: Int64Array = progress.beyond
    begins = np.flatnonzero(np.diff(beyond, prepend=beyond[0] - 2) != 1)
    first = beyond[begins]
    behind = beyond[np.append(begins[1:] - 1, len(beyond) - 1)] + 1
    edges = np.stack([first, behind], axis=1).ravel()
    return [int(n) for n in np.diff(edges, prepend=progress.position)]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > _SEVEN_BITS:
        out.append(number & _SEVEN_BITS | _MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def _unpacked(packed: bytes) -> list[int]:
    numbers, number, shift = [], 0, 0
    for byte in packed:
        number |= (byte & _SEVEN_BITS) << shift
        shift += 7
        if not byte & _MORE:
            numbers.append(number)
            number, shift = 0, 0
    if shift or len(numbers) % 2:
        msg = "it ends in the middle"
        raise ValueError(msg)
    return numbers

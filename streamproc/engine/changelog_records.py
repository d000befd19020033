"""The records of a changelog: one for each key, and for each partition one that says up to where they hold.

A key's record says what was remembered of it when all records of the partition before a position had been read. It
stays true whatever is written later, so records may be old, new, or written by somebody who has lost the partition
since: of several the one with the furthest position counts.
"""

import logging
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from streamproc.core import ConfigError, Problem, TopicPartition

log = logging.getLogger(__name__)

NO_TIME_NS = -(1 << 63)
"""The newest event's time of a partition that had none."""
_MAGIC = b"SPC\x01"
_HEAD = struct.Struct("<4sQIq")
_NEWEST = struct.Struct("<q")
_MARKER, _KEY, _NO_KEY = b"m", b"k", b"n"


class Stamp(NamedTuple):
    """What every record of a changelog begins with.

    Attributes:
        layout: what its bytes mean; see ``StateRows``.
        generation: how often the state was begun anew; records of an earlier one count for nothing.
        position: it holds what came of all records before.
    """

    layout: int
    generation: int
    position: int

    def value(self, body: bytes) -> bytes:
        """A record's value."""
        return _HEAD.pack(_MAGIC, *self) + body


def row_key(topic: str, key: bytes | None) -> bytes:
    """The key of the record of an event's key; ``topic`` is the source's."""
    name = topic.encode() + b"\0"
    return _NO_KEY + name if key is None else _KEY + name + key


def marker_key(topic: str) -> bytes:
    """The key of the record that says up to where those before it hold."""
    return _MARKER + topic.encode() + b"\0"


def marker_body(newest_ns: int) -> bytes:
    """What such a record says besides: when the partition's newest event before the position happened."""
    return _NEWEST.pack(newest_ns)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a changelog says of a partition.

    Attributes:
        position: all that came of records before is in it; reading goes on here.
        generation: of what is written from now on.
        newest_ns: when the newest event before the position happened; ``NO_TIME_NS`` where there was none.
        rows: what is remembered, by key.
        ahead: of keys whose row holds further than the position: how far.
        stale: keys whose rows count for nothing any more, to be deleted.
        begun: whether the topic says so already; False where this has to be written before anything else.
    """

    position: int
    generation: int = 1
    newest_ns: int = NO_TIME_NS
    rows: Mapping[bytes | None, bytes] = field(default_factory=dict)
    ahead: Mapping[bytes | None, int] = field(default_factory=dict)
    stale: Sequence[bytes | None] = ()
    begun: bool = False


class ChangelogReading:
    """Takes the records of one partition of a changelog in, first to last.

    Args:
        source: the partition whose keys are meant; others' records are passed over.
        layout: what bytes must mean to be of use.
    """

    def __init__(self, source: TopicPartition, *, layout: int) -> None:
        self._source = source
        self._layout = layout
        self._name = source.topic.encode() + b"\0"
        self._rows: dict[bytes | None, tuple[Stamp, bytes]] = {}
        self._marker: tuple[Stamp, int] | None = None
        self._generation = 0

    def take(self, keys: Iterable[bytes | None], values: Iterable[bytes | None]) -> None:
        """Take records in.

        Raises:
            ConfigError: they are no changelog's, or of other features.
        """
        for key, value in zip(keys, values, strict=True):
            kind, name = (key or b"")[:1], (key or b"")[1 : 1 + len(self._name)]
            if name != self._name:
                continue
            own = None if kind == _NO_KEY else (key or b"")[1 + len(self._name) :]
            if value is None:
                self._rows.pop(own, None)
                continue
            stamp, body = self._read(value)
            self._generation = max(self._generation, stamp.generation)
            if kind == _MARKER:
                if self._marker is None or stamp[1:] >= self._marker[0][1:]:
                    self._marker = (stamp, _NEWEST.unpack(body)[0])
            elif own not in self._rows or stamp[1:] >= self._rows[own][0][1:]:
                self._rows[own] = (stamp, body)

    def recalled(self, committed: int) -> Recalled:
        """What is remembered, for deciding from this position on."""
        marker, generation = self._marker, self._generation
        if marker is None:
            if committed:
                log.info(
                    "%s/%d: the changelog says nothing of it: features begin with nothing remembered at %d",
                    *self._source,
                    committed,
                )
            return Recalled(committed, generation + 1, stale=list(self._rows))
        (_, _, position), newest_ns = marker
        rows = {key: row for key, row in self._rows.items() if row[0].generation == generation}
        furthest = max((stamp.position for stamp, _ in rows.values()), default=position)
        if max(position, furthest) > committed or marker[0].generation < generation:
            log.warning(
                "%s/%d: the group's position %d was set back behind what the changelog holds (%d): "
                "features begin with nothing remembered",
                *self._source,
                committed,
                max(position, furthest),
            )
            return Recalled(committed, generation + 1, stale=list(self._rows))
        return Recalled(
            position,
            generation,
            newest_ns,
            rows={key: body for key, (_, body) in rows.items()},
            ahead={key: stamp.position for key, (stamp, _) in rows.items() if stamp.position > position},
            stale=[key for key in self._rows if key not in rows],
            begun=True,
        )  # fmt: skip

    def _read(self, value: bytes) -> tuple[Stamp, bytes]:
        magic, *numbers = _HEAD.unpack_from(value) if len(value) >= _HEAD.size else (b"", 0, 0, 0)
        if magic != _MAGIC:
            raise _refused("holds records that are no changelog's, or a newer version's")
        stamp = Stamp(*numbers)
        if stamp.layout != self._layout:
            raise _refused("holds what other features remembered")
        return stamp, value[_HEAD.size :]


def _refused(what: str) -> ConfigError:
    return ConfigError(
        Problem(f"{what}: name another topic, or delete this one", "state.changelog.topic")
    )

"""Rows of tables on their way: to the recorder's process, and as messages of a recording."""

from typing import Final

import numpy as np

from streamproc.connectors.capture.frames import TABLES, Item
from streamproc.connectors.capture.messages import TABLES as CHANNELS
from streamproc.connectors.capture.schema import message_class
from streamproc.core import PartOfAll, TableRows

_ROWS: Final = message_class("TableRows")
_PART: Final = message_class("TablePart")
_KEY_BYTES: Final = 48
"""What a key takes, about, beside its numbers."""


def tables_channel(name: str) -> str:
    """The channel of a lookup's table."""
    return f"{CHANNELS}{name}"


def size_of(rows: TableRows) -> int:
    """About the bytes that rows take while they wait."""
    return (_KEY_BYTES + 8 * len(rows.fields)) * len(rows) + _KEY_BYTES


def pack_table(rows: TableRows) -> Item:
    """For the recorder's process."""
    return (
        TABLES,
        len(rows),
        rows.name,
        rows.topic,
        rows.fields,
        rows.keys_max,
        rows.seen_ns,
        list(rows.keys),
        rows.there.tobytes(),
        rows.numbers.tobytes(),
        dict(rows.positions),
        None if rows.part is None else tuple(rows.part),
    )


def unpack_table(item: Item) -> TableRows:
    """The rows of an item."""
    _, count, name, topic, fields, keys_max, seen_ns, keys, there, numbers, positions, part = item
    return TableRows(
        name=name,
        topic=topic,
        fields=fields,
        keys_max=keys_max,
        seen_ns=seen_ns,
        keys=keys,
        there=np.frombuffer(there, np.bool_),
        numbers=np.frombuffer(numbers, np.float64).reshape(count, len(fields)),
        positions=positions,
        part=None if part is None else PartOfAll(*part),
    )


def encode_table(rows: TableRows) -> bytes:
    """One message."""
    made = _ROWS(
        topic=rows.topic,
        field=rows.fields,
        keys_max=rows.keys_max,
        key=rows.keys,
        gone=b"" if rows.there.all() else (~rows.there).tobytes(),
        number=rows.numbers.ravel().tolist(),
        partition=list(rows.positions),
        position=list(rows.positions.values()),
        part=None if rows.part is None else _PART(first=rows.part.first, total=rows.part.total),
    )
    data: bytes = made.SerializeToString()
    return data


def decode_table(data: bytes, name: str, log_time_ns: int) -> TableRows:
    """The rows of a message.

    Raises:
        DecodeError: the bytes are none.
        ValueError: they do not fit one another.
    """
    made = _ROWS.FromString(data)
    count = len(made.key)
    gone = np.frombuffer(made.gone, np.bool_) if made.gone else np.zeros(count, np.bool_)
    if len(gone) != count:
        msg = f"{count} keys, and {len(gone)} marks"
        raise ValueError(msg)
    return TableRows(
        name=name,
        topic=made.topic,
        fields=tuple(made.field),
        keys_max=made.keys_max,
        seen_ns=log_time_ns,
        keys=list(made.key),
        there=~gone,
        numbers=np.array(made.number, np.float64).reshape(count, len(made.field)),
        positions=dict(zip(made.partition, made.position, strict=True)),
        part=PartOfAll(made.part.first, made.part.total) if made.HasField("part") else None,
    )

"""What a model's process and its parent say to each other, one datagram each; tensors go by the arenas."""

from typing import TypeAlias

import msgspec

from streamproc.core import ModelInfo, Problem

MESSAGE_BYTES_MAX = 1 << 16
"""Far below what a socket takes at once (212,992 bytes)."""
TEXT_MAX = 2_000
"""Characters of an exception that are told."""


class Tensor(msgspec.Struct, frozen=True):
    """Where an array lies in an arena.

    Attributes:
        name: of the model's input or output.
        dtype: numpy's, with the byte order; ``object`` for a list that is written as msgpack.
        shape: its shape.
        offset: where it begins in the arena.
        size: its bytes there.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int


class Batch(msgspec.Struct, frozen=True, tag=True):
    """From the parent: run this."""

    tensors: list[Tensor]


class Ready(msgspec.Struct, frozen=True, tag=True):
    """From the child: the model is loaded and warm."""

    info: ModelInfo
    inline: bool


class Refused(msgspec.Struct, frozen=True, tag=True):
    """From the child: it does not load; these are the problems that the user has to mend."""

    problems: list[Problem]


class Answer(msgspec.Struct, frozen=True, tag=True):
    """From the child: the outputs."""

    tensors: list[Tensor]


class Raised(msgspec.Struct, frozen=True, tag=True):
    """From the child: the model raised.

    Attributes:
        text: the exception in words.
        out_of_memory: True where the process had no memory left: it may never have it again.
    """

    text: str
    out_of_memory: bool


Report: TypeAlias = Ready | Refused | Answer | Raised
encode = msgspec.msgpack.Encoder().encode
decode_order = msgspec.msgpack.Decoder(Batch).decode
decode_report = msgspec.msgpack.Decoder(Report).decode
# The child's side is not trusted with more than data: no pickle comes back from it.

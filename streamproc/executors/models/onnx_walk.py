"""What an ONNX file refers to, read off its protobuf without building it.

Only the fields that lead to a tensor are followed (onnx/onnx.proto); all others are stepped over, so that a
file of a gigabyte costs as much as it has nodes and tensors.
"""

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEPTH_MAX: Final = 64
"""Subgraphs inside of subgraphs: a real model has three or four."""

Fields: TypeAlias = "Mapping[int, str]"

_MESSAGES: Final[Mapping[str, Fields]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""By message, the fields whose messages lead on."""
_KEY, _VALUE = 1, 2
_LOCATION = b"location"


def external_locations(content: memoryview) -> set[str]:
    """The files besides itself in which a model keeps tensors, as it names them.

    Args:
        content: the model's file.

    Raises:
        ValueError: it is no ONNX file.
    """
    found: set[str] = set()
    seen_graph = False
    waiting: list[tuple[str, memoryview, int]] = [("model", content, 0)]
    while waiting:
        message, part, depth = waiting.pop()
        if depth > _DEPTH_MAX:
            msg = f"its graphs are nested more than {_DEPTH_MAX} deep"
            raise ValueError(msg)
        for number, value in _fields(part):
            inner = _MESSAGES[message].get(number)
            if inner is None or value is None:
                continue
            seen_graph = seen_graph or inner == "graph"
            if inner == "entry":
                location = _location(value)
                if location is not None:
                    found.add(location)
            else:
                waiting.append((inner, value, depth + 1))
    if not seen_graph:
        msg = "it holds no graph"
        raise ValueError(msg)
    return found


def _location(entry: memoryview) -> str | None:
    """The value of an entry of ``external_data`` whose key is ``location``."""
    values = {number: value for number, value in _fields(entry) if value is not None}
    if values.get(_KEY, memoryview(b"")).tobytes() != _LOCATION:
        return None
    return values.get(_VALUE, memoryview(b"")).tobytes().decode()


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | None]]:
    """The fields of a message: their numbers, and their bytes where they have a length.

    Raises:
        ValueError: it is no protobuf message.
    """
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            _, place = _varint(message, place)
            yield number, None
        elif kind == _BYTES:
            length, place = _varint(message, place)
            if place + length > end:
                msg = "it ends in the middle of a field: it was cut off"
                raise ValueError(msg)
            yield number, message[place : place + length]
            place += length
        elif kind in (_FIXED32, _FIXED64):
            place += 4 if kind == _FIXED32 else 8
            yield number, None
        else:
            msg = "it is no protobuf message"
            raise ValueError(msg)
    if place > end:
        msg = "it ends in the middle of a field: it was cut off"
        raise ValueError(msg)


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if place >= len(message) or shift > 63:  # noqa: PLR2004 - ten groups of 7 bits
            msg = "it is no protobuf message, or was cut off"
            raise ValueError(msg)
        byte = message[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:  # noqa: PLR2004 - the last group
            return value, place
        shift += 7

"""Spans as bytes, in OTLP's protobuf (https://protobuf.dev/programming-guides/encoding/).

Fields come in any order, so what all spans of a kind share is serialized once; ids and instants have fixed sizes, so such
a span is one ``pack``.
"""

from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Final, TypeAlias

SPAN: Final = 2
"""The field of a ``ScopeSpans`` that holds a span."""
PARENT_SIZE, LINK_SIZE = 10, 30
"""What ``parent_of`` and ``link_to`` give."""

_ATTRIBUTE = 9
_START, _END = 7 << 3 | 1, 8 << 3 | 1
"""Fields of a ``Span``; these two are of fixed 64 bits."""
_TIMES: Final = Struct("<BQBQ")
_IDS_SIZE = 28
_KEY, _VALUE = 1, 2
"""Fields of a ``KeyValue``."""
_STRING = 1
_INT_TAG, _DOUBLE_TAG = 3 << 3 | 0, 4 << 3 | 1
"""Fields of an ``AnyValue``."""
_DOUBLE: Final = Struct("<Bd")
_SEVEN, _MORE = 0x7F, 0x80

Write: TypeAlias = Callable[[bytes, bytes, bytes, int, int], bytes]
"""Writes a span of one kind: the trace (``trace_of``), its own id, its parent and link, when it began and when it ended."""


def trace_of(trace_id: bytes) -> bytes:
    """A span's trace; its own id follows."""
    return b"\x0a\x10%b\x12\x08" % trace_id


def parent_of(span_id: bytes) -> bytes:
    """A span's parent."""
    return b"\x22\x08" + span_id


def link_to(trace_id: bytes, span_id: bytes) -> bytes:
    """A link to a span of another trace."""
    return b"\x6a\x1c\x0a\x10%b\x12\x08%b" % (trace_id, span_id)


def writer(described: bytes, further: int) -> Write:
    """Writes spans as fields of a ``ScopeSpans``.

    Args:
        described: the fields that all of this kind have, serialized.
        further: how many bytes parent and link are.
    """
    size = _IDS_SIZE + further + len(described) + _TIMES.size
    begin = head(SPAN, size)
    pack = Struct(f"<{len(begin)}s20s8s{further}s{len(described)}sBQBQ").pack

    def write(trace: bytes, span_id: bytes, more: bytes, began_ns: int, ended_ns: int) -> bytes:
        if ended_ns < began_ns:  # noqa: PLR1730 - a call of max takes as long as a third of the rest
            ended_ns = began_ns
        return pack(begin, trace, span_id, more, described, _START, began_ns, _END, ended_ns)

    return write


def times(began_ns: int, ended_ns: int) -> bytes:
    """When a span began and ended; never before it began, whatever the clocks say."""
    return _TIMES.pack(_START, began_ns, _END, max(began_ns, ended_ns))


def text(name: str) -> Callable[[bytes], bytes]:
    """Writes an attribute that is a text, given in UTF-8, as a field of a span."""
    key = field(_KEY, name.encode())

    @lru_cache(maxsize=512)
    def before(length: int) -> bytes:
        value = field(_VALUE, head(_STRING, length) + bytes(length))
        return _before(field(_ATTRIBUTE, key + value), length)

    return lambda value: before(len(value)) + value


def number(name: str) -> Callable[[int], bytes]:
    """Writes an attribute that is a whole number as a field of a span.

    What writes it raises a ValueError where it is no int64, or negative: no reader would take the request.
    """
    key = field(_KEY, name.encode())
    wholes = [field(_VALUE, bytes((_INT_TAG, *bytes(size)))) for size in range(10)]
    before = [_before(field(_ATTRIBUTE, key + value), size) for size, value in enumerate(wholes)]

    def write(value: int) -> bytes:
        digits = _varint(value)
        return before[len(digits)] + digits

    return write


def fraction(name: str) -> Callable[[float], bytes]:
    """Writes an attribute that is a fraction as a field of a span."""
    value = field(_VALUE, bytes(_DOUBLE.size))
    before = _before(field(_ATTRIBUTE, field(_KEY, name.encode()) + value), _DOUBLE.size)
    return lambda value: before + _DOUBLE.pack(_DOUBLE_TAG, value)


def field(number: int, data: bytes) -> bytes:
    """A field of bytes: its tag, the length, the bytes."""
    return head(number, len(data)) + data


@lru_cache(maxsize=4_096)
def head(number: int, length: int) -> bytes:
    """What stands before the bytes of a field."""
    return bytes((number << 3 | 2,)) + _varint(length)


def _before(whole: bytes, length: int) -> bytes:
    """All but the last bytes."""
    return whole[: len(whole) - length]


def _varint(number: int) -> bytes:
    """A number in seven bits a byte, the lowest first; the highest bit says that another byte follows.

    Raises:
        ValueError: it is no int64, or negative.
    """
    if not 0 <= number < 1 << 63:
        msg = f"{number} is no length, offset or row"
        raise ValueError(msg)
    if number <= _SEVEN:
        return bytes((number,))
    if number < 1 << 14:
        return bytes((number & _SEVEN | _MORE, number >> 7))
    return bytes((number & _SEVEN | _MORE, number >> 7 & _SEVEN | _MORE)) + _higher(number >> 14)


@lru_cache(maxsize=1_024)
def _higher(number: int) -> bytes:
    """The higher digits: of offsets that follow each other, mostly the same."""
    return _varint(number)

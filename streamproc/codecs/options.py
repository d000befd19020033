"""What a user can set of the codecs."""

from collections.abc import Mapping
from dataclasses import dataclass

from streamproc.core import Size


@dataclass(frozen=True, slots=True)
class JsonCodec:
    """JSON objects, one event a record.

    Attributes:
        fields: the fields that are read, by name; each must be there and of its type. Types are ``str``,
            ``bool``, ``int8`` to ``int64``, ``float32``, ``float64``, and ``float32[16]``: a list of
            exactly 16 numbers. Dots in a name go into nested objects (``data.price``). Of repeated keys the
            first counts.
        max_bytes: a longer value becomes a dead letter without being parsed.
    """

    fields: Mapping[str, str]
    max_bytes: Size = Size.parse("1MiB")  # noqa: RUF009 - immutable

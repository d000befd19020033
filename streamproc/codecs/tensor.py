"""Raw tensors to a column: a record's value is the numbers themselves."""

import numpy as np

from streamproc.codecs.decoded import Decoded
from streamproc.codecs.fields import FieldType, not_finite
from streamproc.codecs.options import TensorCodec
from streamproc.core import Reason, RecordError


class TensorDecoder:
    """Decodes arrays of numbers, little-endian and row by row, one event a record.

    Args:
        options: the field and its type.

    Raises:
        ValueError: the type does not exist.
    """

    several = False

    def __init__(self, options: TensorCodec) -> None:
        self._name = options.field
        self._kind = FieldType.parse(options.type)
        self._stored = self._kind.numpy.newbyteorder("<")
        self._bytes = self._stored.itemsize * self._kind.size
        self.fields = {self._name: self._kind}

    def decode(self, values: list[bytes | None]) -> Decoded:
        """One column [m, ...]; see ``Decoder``."""
        rejected: dict[int, RecordError] = {}
        whole = self._bytes
        if set(map(len, filter(None, values))) - {whole} or not all(values):
            rejected = {
                place: self._refusal(value)
                for place, value in enumerate(values)
                if not value or len(value) != whole
            }
        good = [place for place in range(len(values)) if place not in rejected]
        joined = b"".join([value for place in good if (value := values[place]) is not None])
        column = np.frombuffer(joined, self._stored).reshape(len(good), *self._kind.shape)
        column = column.astype(self._kind.numpy, copy=False)
        unfit = not_finite(column, self._kind)
        if unfit is not None:
            for place in np.flatnonzero(unfit).tolist():
                text = f"field {self._name!r} holds a NaN or an infinity"
                rejected[good[place]] = RecordError(Reason.NOT_FINITE, text)
            column = column[~unfit]
            good = [place for place in good if place not in rejected]
        record = None if len(good) == len(values) else np.array(good, np.int64)
        return Decoded(record, {self._name: column}, rejected)

    def _refusal(self, value: bytes | None) -> RecordError:
        if value is None:
            return RecordError(Reason.EMPTY, "the value is null (a tombstone)")
        if not value:
            return RecordError(Reason.EMPTY, "the value has no bytes")
        text = f"the value has {len(value)} bytes, {self._kind} has {self._bytes}"
        return RecordError(Reason.WRONG_LENGTH, text)

"""Tensors as the Open Inference Protocol writes them: its names of types, raw bytes, lists in JSON.

Open Inference Protocol 2.0, "Tensor Data Types": raw bytes are row-major and little-endian; a text is its length as
four bytes, and UTF-8.
"""

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from streamproc.core import Array, TensorSpec
from streamproc.executors.remote.errors import WrongError

_NAMES = {
    "bool": "BOOL",
    "uint8": "UINT8",
    "uint16": "UINT16",
    "uint32": "UINT32",
    "uint64": "UINT64",
    "int8": "INT8",
    "int16": "INT16",
    "int32": "INT32",
    "int64": "INT64",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    "object": "BYTES",
}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}


def datatype_of(array: Array) -> str:
    """The protocol's name of an array's type.

    Raises:
        TypeError: it has none.
    """
    name = _NAMES.get("object" if array.dtype.kind in "OUS" else str(array.dtype))
    if name is None:
        msg = f"the Open Inference Protocol has no type for {array.dtype}"
        raise TypeError(msg)
    return name


def dtype_of(datatype: str) -> str:
    """Numpy's name of a type of the protocol.

    Raises:
        WrongError: it is none.
    """
    dtype = _DTYPES.get(datatype)
    if dtype is None:
        msg = f"it has a tensor of the type {datatype!r}, which is not supported"
        raise WrongError(msg)
    return dtype


def spec_of(name: str, datatype: str, shape: Sequence[int]) -> TensorSpec:
    """A tensor's description without its first axis, the batch's."""
    sizes = tuple(None if size < 0 else int(size) for size in shape[1:])
    return TensorSpec(name, dtype_of(datatype), sizes)


def raw_of(array: Array) -> bytes:
    """An array as raw bytes."""
    if datatype_of(array) != "BYTES":
        little = array.dtype.newbyteorder("<")
        return np.ascontiguousarray(array, little).tobytes()
    texts = [_bytes_of(text) for text in array.ravel().tolist()]
    return b"".join(part for text in texts for part in (struct.pack("<I", len(text)), text))


def array_of(raw: bytes, datatype: str, shape: Sequence[int]) -> Array:
    """An array of raw bytes.

    Raises:
        WrongError: they do not fit the shape.
    """
    dtype = dtype_of(datatype)
    try:
        if dtype == "object":
            return np.array(list(_texts(raw)), object).reshape(shape)
        return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).reshape(shape).astype(dtype)
    except (ValueError, OverflowError, struct.error) as error:
        msg = f"a tensor {datatype} {list(shape)} came with {len(raw)} bytes that are another"
        raise WrongError(msg) from error


def listed(array: Array) -> Any:  # noqa: ANN401 - what becomes JSON
    """An array as a flat list for JSON."""
    if datatype_of(array) != "BYTES":
        return np.ascontiguousarray(array.ravel())
    return [_bytes_of(text).decode() for text in array.ravel().tolist()]


def unlisted(data: Any, datatype: str, shape: Sequence[int]) -> Array:  # noqa: ANN401 - out of JSON
    """An array of a flat or nested list out of JSON.

    Raises:
        WrongError: it does not fit the type or the shape.
    """
    dtype = dtype_of(datatype)
    try:
        with np.errstate(over="ignore"):  # a float that is too large is an infinity
            array = np.asarray(data, dtype)
        rounded = array.dtype.kind in "iu" and not np.array_equal(np.asarray(data), array)
    except (ValueError, TypeError, OverflowError) as error:
        msg = f"a tensor {datatype} {list(shape)} came with data that are no {datatype}"
        raise WrongError(msg) from error
    if rounded:  # numpy would cut 1.5 down to 1 without a word
        msg = f"a tensor {datatype} {list(shape)} came with data that are no {datatype}"
        raise WrongError(msg)
    try:
        return array.reshape(shape)
    except (ValueError, OverflowError) as error:
        msg = f"a tensor {datatype} {list(shape)} came with {array.size} elements"
        raise WrongError(msg) from error


def _bytes_of(text: object) -> bytes:
    return text if isinstance(text, bytes) else str(text).encode()


def _texts(raw: bytes) -> Iterator[str]:
    place = 0
    while place < len(raw):
        (length,) = struct.unpack_from("<I", raw, place)
        yield raw[place + 4 : place + 4 + length].decode()
        place += 4 + length

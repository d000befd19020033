"""Memory that two processes share: one writes arrays, the other reads them, nothing is pickled."""

import fcntl
import mmap
import os
from collections.abc import Sequence

import msgspec
import numpy as np

from streamproc.core import Array, Columns, object_column
from streamproc.executors.isolated.messages import Tensor

_ALIGN = 64
"""A cache line, and more than any element type needs."""
_FIRST_BYTES = 1 << 16
_OBJECT = "object"
_PLAIN = "biufcmMSU"


class Arena:
    """A file in memory; has one writer, which lets it grow. It never shrinks: a reader must not fall off its end.

    Args:
        fd: of the file.
    """

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._memory = mmap.mmap(fd, os.fstat(fd).st_size)

    @classmethod
    def create(cls) -> "Arena":
        """A new one."""
        fd = os.memfd_create("streamproc", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, _FIRST_BYTES)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        return cls(fd)

    def write(self, columns: Columns) -> list[Tensor]:
        """Write arrays over those before.

        Args:
            columns: arrays by name, of any shape.

        Returns:
            where they are.

        Raises:
            TypeError: an array holds what cannot go to another process.
        """
        contents = {name: _content(name, array) for name, array in columns.items()}
        tensors = []
        end = 0
        for name, content in contents.items():
            array, kept = columns[name], content.dtype.str
            kind = _OBJECT if array.dtype == np.object_ else kept
            tensors.append(Tensor(name, kind, array.shape, end, content.nbytes))
            end = -(-(end + content.nbytes) // _ALIGN) * _ALIGN
        if end > len(self._memory):
            os.ftruncate(self.fd, max(end, 2 * len(self._memory)))
            self._remap()
        for tensor, content in zip(tensors, contents.values(), strict=True):
            place = np.frombuffer(self._memory, np.uint8, tensor.size, tensor.offset)
            place.view(content.dtype).reshape(content.shape)[...] = content
        return tensors

    def read(self, tensors: Sequence[Tensor], *, copy: bool) -> Columns:
        """The arrays that the other side wrote.

        Args:
            tensors: where they are.
            copy: False gives views, which change with the next write.

        Raises:
            ValueError: there is no such place: the other side is out of its mind.
        """
        return {tensor.name: self._read(tensor, copy=copy) for tensor in tensors}

    def close(self) -> None:
        """Let go of the file; the memory stays as long as an array shows it."""
        os.close(self.fd)

    def _read(self, tensor: Tensor, *, copy: bool) -> Array:
        if tensor.offset + tensor.size > len(self._memory):
            self._remap()
        if tensor.offset < 0 or not 0 <= tensor.size <= len(self._memory) - tensor.offset:
            msg = f"{tensor.name!r} lies outside of the memory that is shared"
            raise ValueError(msg)
        content = np.frombuffer(self._memory, np.uint8, tensor.size, tensor.offset)
        if tensor.dtype == _OBJECT:
            return object_column(msgspec.msgpack.decode(content.tobytes())).reshape(tensor.shape)
        dtype = np.dtype(tensor.dtype)
        if dtype.hasobject:
            msg = f"{tensor.name!r} is of type {dtype}, which is not passed as bytes"
            raise ValueError(msg)
        array = content.view(dtype).reshape(tensor.shape) if tensor.size else _none_of(tensor)
        return array.copy() if copy else array

    def _remap(self) -> None:
        # A new mapping: arrays that still show the old one keep it alive.
        self._memory = mmap.mmap(self.fd, os.fstat(self.fd).st_size)


def _content(name: str, array: Array) -> Array:
    """What is written of an array: itself, or a list of objects as msgpack (uint8 [n])."""
    if array.dtype.kind in _PLAIN:
        return array
    if array.dtype != np.object_:
        msg = f"{name!r} is of type {array.dtype}: such an array cannot go to the model's process or back"
        raise TypeError(msg)
    try:
        return np.frombuffer(msgspec.msgpack.encode(array.ravel().tolist()), np.uint8)
    except (TypeError, OverflowError, ValueError) as error:
        msg = f"{name!r} holds objects that cannot go to the model's process or back: {error}"
        raise TypeError(msg) from error


def _none_of(tensor: Tensor) -> Array:
    return np.empty(tensor.shape, np.dtype(tensor.dtype))

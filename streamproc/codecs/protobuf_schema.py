"""Protobuf schemas: files put together, messages found in them, and fields found in messages."""

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError

from streamproc.codecs.fields import FieldType
from streamproc.core import Reason, RecordError

WELL_KNOWN = (any_pb2, duration_pb2, struct_pb2, timestamp_pb2, wrappers_pb2)
"""Google's own files that schemas import without carrying them; their import puts them into the default pool."""


def message_of(files: bytes, name: str) -> Descriptor:
    """A message of a serialised set of files.

    Raises:
        RecordError: there is none of the name.
    """
    try:
        found = descriptor_pb2.FileDescriptorSet.FromString(files)
    except DecodeError:
        raise RecordError(
            Reason.UNDECODABLE,
            "is no FileDescriptorSet (protoc --include_imports --descriptor_set_out)",
        ) from None
    pool = pool_of(found.file)
    try:
        message: Descriptor = pool.FindMessageTypeByName(name)
    except KeyError:
        there = ", ".join(
            f"{f.package}.{m.name}".lstrip(".") for f in found.file for m in f.message_type
        )
        raise RecordError(
            Reason.UNDECODABLE, f"has no message {name!r}; there are {there or 'none'}"
        ) from None
    return message


def file_of(text: str, name: str | None = None) -> Any:  # noqa: ANN401 - a FileDescriptorProto
    """A file as registries serialise it; ``name`` is what the others import it as.

    Raises:
        RecordError: it is none.
    """
    try:
        found = descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except (binascii.Error, DecodeError, ValueError):
        raise RecordError(Reason.UNDECODABLE, "is no serialised Protobuf file") from None
    if name is not None:
        found.name = name
    elif not found.name:
        found.name = "registered.proto"
    return found


def pool_of(files: Iterable[Any]) -> descriptor_pool.DescriptorPool:
    """The files in a pool of their own, with those of Google's that they import.

    Raises:
        RecordError: they do not fit together.
    """
    pool = descriptor_pool.DescriptorPool()
    given = {file.name: file for file in files}
    open_names: list[str] = []

    def add(name: str) -> None:
        if name in open_names:
            raise RecordError(Reason.UNDECODABLE, f"the file {name} imports itself")
        file = given.pop(name, None)
        if file is None:
            try:
                pool.FindFileByName(name)
            except KeyError:
                pass
            else:
                return
            file = _of_google(name)
        open_names.append(name)
        for other in file.dependency:
            add(other)
        open_names.pop()
        pool.Add(file)

    try:
        while given:
            add(next(iter(given)))
    except (TypeError, KeyError, ValueError) as error:
        said = (str(error).splitlines() or [""])[0]
        raise RecordError(
            Reason.UNDECODABLE, f"the schema's files do not fit together: {said}"
        ) from None
    return pool


def _of_google(name: str) -> Any:  # noqa: ANN401
    try:
        found = descriptor_pool.Default().FindFileByName(name)
    except KeyError:
        raise RecordError(
            Reason.UNDECODABLE, f"imports {name}, which is not among its references"
        ) from None
    file = descriptor_pb2.FileDescriptorProto()
    found.CopyToProto(file)
    return file


def getter_of(message: Descriptor, path: Sequence[str], kind: FieldType) -> Callable[[Any], Any]:
    """What takes one field out of a message.

    Raises:
        RecordError: there is none, or none that a column is made of.
    """
    steps: list[FieldDescriptor] = []
    inside: Descriptor | None = message
    for part in path:
        found = None if inside is None else inside.fields_by_name.get(part)
        if found is None:
            there = "" if inside is None else ", ".join(inside.fields_by_name)
            text = f"field {'.'.join(path)!r} is missing: {inside.full_name if inside else 'it'} has {there or 'none'}"
            raise RecordError(Reason.MISSING_FIELD, text)
        if steps and steps[-1].is_repeated:
            break
        steps.append(found)
        inside = found.message_type
    last = steps[-1]
    name = ".".join(path)
    if (
        len(steps) < len(path)
        or last.message_type is not None
        or last.type == FieldDescriptor.TYPE_BYTES
    ):
        what = "repeated or a map" if last.is_repeated else "a message or bytes"
        raise RecordError(Reason.WRONG_TYPE, f"field {name!r} is {what}: no column is made of it")
    if last.is_repeated != bool(kind.shape):
        text = f"field {name!r} must be {kind}, is {'repeated' if last.is_repeated else 'single'}"
        raise RecordError(Reason.WRONG_TYPE, text)
    return _checked(steps, _taken(name, last, kind))


def _taken(name: str, last: FieldDescriptor, kind: FieldType) -> Callable[[Any], Any]:
    get = attrgetter(name)
    if last.is_repeated:
        return lambda message: list(get(message))
    if last.enum_type is not None and kind.dtype == "str":
        names = {number: value.name for number, value in last.enum_type.values_by_number.items()}
        return lambda message: names.get(number := get(message)) or str(number)
    return get


def _checked(steps: Sequence[FieldDescriptor], take: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same, with None for a field that has presence and is not there."""
    present = [step.name for step in steps if step.has_presence]
    if not present:
        return take
    names = [step.name for step in steps]

    def get(message: Any) -> Any:  # noqa: ANN401 - a message of any type
        inside = message
        for step in names:
            if step in present and not inside.HasField(step):
                return None
            inside = getattr(inside, step)
        return take(message)

    return get

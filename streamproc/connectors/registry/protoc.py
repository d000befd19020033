"""``.proto`` texts to descriptors, by protoc (of grpcio-tools) in a process of its own."""

import base64
import binascii
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError

from streamproc.core import ExternalError

_TIMEOUT_S = 30.0
_MAIN = "registered.proto"


def compile_proto(files: Mapping[str, str], main: str, include: Path | None = None) -> bytes:
    """A serialised ``FileDescriptorSet`` with a file and all that it imports.

    Args:
        files: texts by the names that they are imported by.
        main: the name of the file that is wanted.
        include: a folder where imports are found too.

    Raises:
        ExternalError: protoc is not installed, or refuses the text.
    """
    if find_spec("grpc_tools") is None:
        msg = "a .proto text needs protoc: pip install 'streamproc[protobuf]'"
        raise ExternalError(msg)
    with TemporaryDirectory(prefix="streamproc-protoc-") as folder:
        for name, text in files.items():
            place = PurePosixPath(name)
            if place.is_absolute() or ".." in place.parts:
                msg = f"a Protobuf file may not be called {name!r}"
                raise ExternalError(msg)
            path = Path(folder) / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        out = Path(folder) / "out.descriptors"
        paths = [f"-I{folder}", *([f"-I{include}"] if include else [])]
        command = [sys.executable, "-m", "grpc_tools.protoc", *paths, "--include_imports"]
        try:
            done = subprocess.run(  # noqa: S603 - our own interpreter, and names that were looked at
                [*command, f"--descriptor_set_out={out}", f"{folder}/{main}"],
                capture_output=True,
                text=True,
                timeout=_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            msg = f"protoc did not end within {_TIMEOUT_S:g} s"
            raise ExternalError(msg) from None
        if done.returncode:
            said = next(iter(done.stderr.splitlines()), "it does not say why")
            msg = f"protoc refuses it: {said}"
            raise ExternalError(msg)
        return out.read_bytes()


def as_serialised(
    text: str, references: Mapping[str, str]
) -> tuple[str, tuple[tuple[str, str], ...]]:
    """A registered schema and its references as base64 of ``FileDescriptorProto``, however they were given.

    Registries that know ``format=serialized`` give them so; others give the text.

    Raises:
        ExternalError: a text cannot be compiled.
    """
    if all(map(_is_serialised, (text, *references.values()))):
        return text, tuple(references.items())
    compiled = compile_proto({**references, _MAIN: text}, _MAIN)
    found = descriptor_pb2.FileDescriptorSet.FromString(compiled).file
    files = tuple((file.name, _serialised(file)) for file in found if file.name != _MAIN)
    return _serialised(found[-1]), files


def _serialised(file: descriptor_pb2.FileDescriptorProto) -> str:
    return base64.b64encode(file.SerializeToString()).decode()


def _is_serialised(text: str) -> bool:
    try:
        descriptor_pb2.FileDescriptorProto.FromString(base64.b64decode(text, validate=True))
    except (binascii.Error, DecodeError, ValueError):
        return False
    return True

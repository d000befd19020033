"""The manifest: which files a model is made of, and what is in them.

{"schema_version": 1, "files": {"direction.onnx": {"size": 18204, "sha256": "9f86d0..."}}}
"""

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from streamproc.core import ConfigError, Problem

MANIFEST_NAME: Final = "model.manifest.json"
"""Looked for beside the model."""
_BYTES_MAX: Final = 1 << 20


class ManifestFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: its length in bytes, and the 64 hex digits of its digest."""

    size: int
    sha256: str


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema_version: int
    files: dict[str, ManifestFile]


class Manifest:
    """A manifest that was read.

    Args:
        path: its file; its folder is where the files' names start from.
        key: the configuration's key that led to it.

    Raises:
        ConfigError: it cannot be read, or is no manifest.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.key = key
        try:
            with path.open("rb") as file:
                text = file.read(_BYTES_MAX + 1)
            if len(text) > _BYTES_MAX:
                why = f"is longer than {_BYTES_MAX} bytes"
                raise self._wrong(why)
            content = msgspec.json.decode(text, type=_Content)
        except OSError as error:
            why = f"cannot be read: {error.strerror}"
            raise self._wrong(why) from error
        except msgspec.MsgspecError as error:
            why = f"is no manifest: {error}"
            raise self._wrong(why) from error
        if content.schema_version != 1:
            why = f"has schema_version {content.schema_version}, this is 1"
            raise self._wrong(why)
        self._files = content.files

    def check(self, file: Path, *, size: int, sha256: str) -> str | None:
        """What is wrong with a file; None where it is the one that the manifest names.

        Args:
            file: the file.
            size: its bytes.
            sha256: its digest, 64 hex digits.
        """
        name = name_in(self.path.parent, file)
        entry = self._files.get(name)
        if entry is None:
            return f"{file} is not in the manifest {self.path}"
        if entry.size != size:
            return f"{file} has {size} bytes, the manifest {self.path} says {entry.size}"
        if entry.sha256.lower() != sha256:
            return (
                f"{file} is not what the manifest {self.path} says: its sha256 is {sha256[:12]}..., "
                f"not {entry.sha256[:12]}..."
            )
        return None

    def _wrong(self, text: str) -> ConfigError:
        return ConfigError(Problem(f"{self.path} {text}", self.key))


def name_in(folder: Path, file: Path) -> str:
    """A file's name in the manifest of a folder."""
    return str(PurePosixPath(os.path.relpath(file, folder)))


def write_manifest(path: Path, files: Mapping[Path, tuple[int, str]]) -> None:
    """Write a manifest, whole or not at all.

    Args:
        path: where.
        files: by file its size and its sha256.

    Raises:
        ConfigError: it cannot be written.
    """
    named = {
        name_in(path.parent, file): {"size": size, "sha256": sha256}
        for file, (size, sha256) in files.items()
    }
    text = json.dumps({"schema_version": 1, "files": dict(sorted(named.items()))}, indent=2)
    temporary: str | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=".manifest-", delete=False
        ) as file:
            temporary = file.name
            file.write(text + "\n")
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        msg = f"{path} cannot be written: {error.strerror}"
        raise ConfigError(msg) from error

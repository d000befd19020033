"""Looks at a model's files before anything reads them as a model."""

import hashlib
import mmap
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from streamproc.core import ConfigError, Problem, Size
from streamproc.executors.models.manifest import MANIFEST_NAME, Manifest
from streamproc.executors.models.onnx_walk import external_locations
from streamproc.executors.models.signature import Signature, check_signature

MAX_BYTES: Final = Size.parse("4GiB")
_PICKLES: Final = frozenset((".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt"))
_MAGIC: Final = {
    b"\x80\x02": "a pickle",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"PK\x03\x04": "a zip archive, such as PyTorch's, with pickles in it",
}
"""No ONNX file begins so: its first field is a small number or a text."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a model's files must keep to.

    Attributes:
        max_bytes: all of them together.
        manifest: the manifest that they must be in; None takes the one beside the model, where there is one.
        custom_ops: libraries with operators of the user's own: nothing else is loaded as code.
        signature: who must have signed them; None asks for no signature.
    """

    max_bytes: Size = MAX_BYTES
    manifest: str | None = None
    custom_ops: Sequence[str] = ()
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file as it was looked at.

    Attributes:
        path: where it is.
        size: its bytes.
        sha256: 64 hex digits.
        identity: device, inode, size and time of change: another one is another file.
    """

    path: Path
    size: int
    sha256: str
    identity: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The files of one model, the one that is named first.

    Attributes:
        files: all of them.
        libraries: those of them that are code.
    """

    files: tuple[ModelFile, ...]
    libraries: tuple[Path, ...]

    @property
    def digest(self) -> str:
        """``sha256:`` and twelve hex digits: of the file alone, or of the digests of all of a model with several."""
        sha256 = self.files[0].sha256
        if len(self.files) > 1:
            together = "\n".join(sorted(file.sha256 for file in self.files))
            sha256 = hashlib.sha256(together.encode()).hexdigest()
        return f"sha256:{sha256[:12]}"

    def changed(self) -> Path | None:
        """A file that is another one by now; None where all are as they were."""
        for file in self.files:
            try:
                if _identity(file.path.lstat()) != file.identity:
                    return file.path
            except OSError:
                return file.path
        return None

    def require_unchanged(self, key: str) -> None:
        """See that what was loaded since is what was looked at.

        Args:
            key: where the model stands in the configuration.

        Raises:
            ConfigError: a file is another one by now.
        """
        changed = self.changed()
        if changed is not None:
            text = (
                f"{changed} was changed while it was loaded: put a new one in place with a rename"
            )
            raise ConfigError(Problem(text, f"{key}.path"))


def look_at(path: str, rules: Rules, key: str = "model", *, compare: bool = True) -> ModelFiles:
    """Look at a model's file, what it refers to, and the libraries it may use.

    Args:
        path: the ONNX file.
        rules: what the files must keep to.
        key: where the model stands in the configuration.
        compare: whether they are held against the manifest and the signature.

    Raises:
        ConfigError: all that is wrong with them.
    """
    return _Look(rules, key).all_of(Path(path), compare=compare)


class _Look:
    """Takes note of the files and of what is wrong with them."""

    def __init__(self, rules: Rules, key: str) -> None:
        self._rules = rules
        self._key = key
        self._problems: list[Problem] = []
        self._left = int(rules.max_bytes)

    def all_of(self, path: Path, *, compare: bool) -> ModelFiles:
        """Look at the model at a path, and all that belongs to it."""
        found = [self._file(path, f"{self._key}.path")]
        pickle = _pickle_in(path, regular=found[0] is not None)
        if pickle is not None:
            text = (
                f"{path} is {pickle}: loading it could run any code, so only ONNX is read; export the model "
                "(torch.onnx.export, skl2onnx), or load it yourself in executor: {python: {callable: ...}}"
            )
            raise ConfigError(Problem(text, f"{self._key}.path"))
        for location in sorted(self._locations(path) if found[0] else ()):
            beside = self._beside(path, location)
            if beside is not None:
                found.append(self._file(beside, f"{self._key}.path"))
        libraries = [Path(library) for library in self._rules.custom_ops]
        for place, library in enumerate(libraries):
            found.append(self._file(library, f"model.custom_ops[{place}]"))
        files = tuple(file for file in found if file is not None)
        if compare and not self._problems:
            self._compare(files, path)
        if compare and not self._problems and self._rules.signature is not None:
            found_sha256 = {file.path: file.sha256 for file in files}
            check_signature(self._rules.signature, path, found_sha256)
        if self._problems:
            raise ConfigError(*self._problems)
        return ModelFiles(files, tuple(libraries))

    def _wrong(self, message: str, key: str) -> None:
        self._problems.append(Problem(message, key))

    def _file(self, path: Path, key: str) -> ModelFile | None:
        """Look at one file; None where it is no file to be read."""
        try:
            status = path.lstat()
            why = _not_regular(status)
            if why is not None:
                self._wrong(
                    f"{path} is {why}: only regular files are read; name the file itself", key
                )
                return None
            self._left -= status.st_size
            if self._left < 0:
                text = f"the model's files are larger than model.max_bytes, {self._rules.max_bytes}"
                self._wrong(text, key)
                return None
            # Between the look and the opening it may have become a link: that is refused here.
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(handle, "rb") as file:  # noqa: PTH123 - an open file has no path
                status = os.fstat(handle)
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                return ModelFile(path, status.st_size, sha256, _identity(status))
        except OSError as error:
            self._wrong(f"{path} cannot be read: {error.strerror}", key)
            return None

    def _locations(self, path: Path) -> set[str]:
        try:
            with path.open("rb") as file:
                return _locations_in(file.fileno())
        except (OSError, ValueError) as error:
            self._wrong(f"{path} is no model that works here: {error}", f"{self._key}.path")
            return set()

    def _beside(self, path: Path, location: str) -> Path | None:
        """The file that the model names; None where it lies outside of the model's folder, or behind a link."""
        name = PurePosixPath(location)
        if name.is_absolute() or ".." in name.parts or not name.parts or _odd(location):
            text = (
                f"{path} keeps tensors in {location!r}: only files in its own folder are read; "
                "save it with its external data beside it"
            )
            self._wrong(text, f"{self._key}.path")
            return None
        for folder in list(name.parents)[:-1]:
            if (path.parent / folder).is_symlink():
                text = f"{path} keeps tensors in {location!r}, and {folder} is a link: links are not followed"
                self._wrong(text, f"{self._key}.path")
                return None
        return path.parent / name

    def _compare(self, files: Sequence[ModelFile], path: Path) -> None:
        """Hold the files against the manifest, where there is one."""
        named = self._rules.manifest
        place = Path(named) if named is not None else path.parent / MANIFEST_NAME
        if named is None and not os.path.lexists(place):
            return
        manifest = Manifest(place, "model.manifest" if named is not None else f"{self._key}.path")
        for file in files:
            wrong = manifest.check(file.path, size=file.size, sha256=file.sha256)
            if wrong is not None:
                self._wrong(wrong, manifest.key)


def _locations_in(handle: int) -> set[str]:
    """The files that an ONNX file refers to.

    Raises:
        ValueError: it is none.
    """
    if not os.fstat(handle).st_size:
        msg = "it is empty"
        raise ValueError(msg)
    return external_locations(memoryview(mmap.mmap(handle, 0, access=mmap.ACCESS_READ)))


def _pickle_in(path: Path, *, regular: bool) -> str | None:
    """What a file is, where it is a pickle or holds some: it would run the code of whoever wrote it."""
    if path.suffix.lower() in _PICKLES:
        return f"a {path.suffix.lower()} file"
    if not regular:
        return None
    with path.open("rb") as file:
        head = file.read(4)
    return next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)


def _odd(location: str) -> bool:
    return "\\" in location or "\0" in location


def _not_regular(status: os.stat_result) -> str | None:
    """What it is, where it is no regular file."""
    if stat.S_ISREG(status.st_mode):
        return None
    if stat.S_ISLNK(status.st_mode):
        return "a symbolic link"
    return "a folder" if stat.S_ISDIR(status.st_mode) else "a device or the like"


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

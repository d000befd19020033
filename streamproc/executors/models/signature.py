"""The signature of a model: who made its files, said with a key that whoever may change them does not have.

It is what ``model_signing sign`` (OpenSSF Model Signing, a Sigstore bundle) writes of the folder of the model.
"""

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from streamproc.core import ConfigError, Problem
from streamproc.executors.models.manifest import name_in

if TYPE_CHECKING:
    from model_signing import verifying

SIGNATURE_NAME: Final = "model.sig"
"""Looked for beside the model."""
KEY: Final = "model.signature"
_BYTES_MAX: Final = 16 << 20
"""A file of the model takes about 200 bytes of it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Who must have signed the model's files.

    Attributes:
        public_key: PEM of an elliptic curve key (P-256, P-384, P-521): the signature must be its private key's.
        certificates: PEM files of authorities: the signature must be of a certificate that comes from one of them.
            Every certificate of theirs that may sign is taken, so take an authority that has no other.
        path: the signature; null takes ``model.sig`` beside the model. The names in it start from its folder.
    """

    public_key: str | None = None
    certificates: Sequence[str] = ()
    path: str | None = None

    def __post_init__(self) -> None:
        if (self.public_key is None) == (not self.certificates):
            msg = "name either public_key or certificates: what the signature is checked with"
            raise ValueError(msg)

    def beside(self, model: Path) -> Path:
        """Where the signature of a model is."""
        return model.parent / SIGNATURE_NAME if self.path is None else Path(self.path)

    @property
    def trusted(self) -> tuple[str, ...]:
        """The files that say whom to trust."""
        return (self.public_key,) if self.public_key is not None else tuple(self.certificates)


def check_signature(signature: Signature, model: Path, files: Mapping[Path, str]) -> None:
    """See that every file of a model is signed, and is as it was when it was.

    Args:
        signature: who must have signed them.
        model: the model's file.
        files: all files of the model, and of each the sha256 that was found, 64 hex digits.

    Raises:
        ConfigError: it is not signed by whom it must be, or a file is another one, or not in it.
    """
    path = signature.beside(model)
    content = _plain(path, _read(path))
    verifier = _verifier(signature)
    # Looked into before it is verified, as that says more of what is wrong; what counts is both.
    signed = _signed(path, content)
    for file, sha256 in files.items():
        digest = signed.get(name_in(path.parent, file))
        if digest is None:
            _refuse(f"{file} is not in the signature {path}: sign the folder that it is in")
        if digest != sha256:
            _refuse(f"{file} is not what was signed: it has changed since, or {path} is old")
    # What was looked into is what is verified: by now the file may be another one.
    with tempfile.NamedTemporaryFile(prefix="streamproc-", suffix=".sig") as copy:
        copy.write(content)
        copy.flush()
        try:
            verifier.verify(path.parent, Path(copy.name))
        except Exception as error:  # noqa: BLE001 - it raises its libraries' errors, of all kinds
            others = "" if len(signed) == len(files) else ", or another file that it is of has"
            by = ", ".join(signature.trusted)
            text = f"{path} is no signature by {by}: it is another's, or has changed since{others}"
            _refuse(text, error)


def _read(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:  # noqa: PTH123 - an open file has no path
            content = file.read(_BYTES_MAX + 1)
    except OSError as error:
        text = f"the model is not signed: {path} cannot be read: {error.strerror}"
        _refuse(text, error)
    if len(content) > _BYTES_MAX:
        _refuse(f"{path} is no signature: it is longer than {_BYTES_MAX} bytes")
    return content


def _verifier(signature: Signature) -> "verifying.Config":
    """What verifies with the key or the authorities of the configuration."""
    try:
        from model_signing import verifying  # noqa: PLC0415 - an extra; it takes most of a second
    except ImportError as error:
        _refuse("needs the package model-signing: pip install 'streamproc[signing]'", error)
    config = verifying.Config()  # type: ignore[no-untyped-call]
    config = config.set_ignore_unsigned_files(True)
    try:
        if signature.public_key is not None:
            return config.use_elliptic_key_verifier(public_key=signature.public_key)
        return config.use_certificate_verifier(certificate_chain=signature.certificates)
    except (OSError, ValueError) as error:
        kind = "public key of an elliptic curve" if signature.public_key else "certificate"
        why = error.strerror if isinstance(error, OSError) else f"it is no {kind} (PEM)"
        _refuse(f"{', '.join(signature.trusted)} cannot be used: {why}", error)


def _plain(path: Path, content: bytes) -> bytes:
    """The same JSON with each key once: two readers of it cannot see different things."""
    try:
        return msgspec.json.encode(msgspec.json.decode(content))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _refuse(f"{path} is no signature of model-signing 1.x: {error}", error)


def _signed(path: Path, content: bytes) -> dict[str, str]:
    """By file the sha256 that a signature says; nothing of it is verified yet."""
    try:
        bundle = msgspec.json.decode(content, type=_Bundle)
        statement = msgspec.json.decode(bundle.dsse_envelope.payload, type=_Statement)
    except msgspec.MsgspecError as error:
        _refuse(f"{path} is no signature of model-signing 1.x: {error}", error)
    key, predicate = bundle.verification_material.public_key, statement.predicate
    if key is not None and key.hint is None:  # the library would print a warning
        _refuse(f"{path} was made by an old version of model-signing: sign anew")
    if (predicate.serialization.method, predicate.serialization.hash_type) != ("files", "sha256"):
        _refuse(f"{path} is not of the sha256 of whole files: sign anew, without options")
    return {resource.name: resource.digest.lower() for resource in predicate.resources}


def _refuse(text: str, cause: Exception | None = None) -> NoReturn:
    raise ConfigError(Problem(text, KEY)) from cause


# What is read here of a Sigstore bundle and of the in-toto statement in it. Fields that are not known are refused
# in the bundle, as its other reader may know them as other names of these.


class _PublicKey(msgspec.Struct, frozen=True):
    hint: str | None = None


class _Material(msgspec.Struct, frozen=True):
    public_key: _PublicKey | None = msgspec.field(default=None, name="publicKey")


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payload: bytes  # base64 in JSON
    payload_type: str = msgspec.field(name="payloadType")
    signatures: list[msgspec.Raw]


class _Bundle(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    media_type: str = msgspec.field(name="mediaType")
    verification_material: _Material = msgspec.field(name="verificationMaterial")
    dsse_envelope: _Envelope = msgspec.field(name="dsseEnvelope")


class _Resource(msgspec.Struct, frozen=True):
    name: str
    digest: str


class _Serialization(msgspec.Struct, frozen=True):
    method: str
    hash_type: str


class _Predicate(msgspec.Struct, frozen=True):
    serialization: _Serialization
    resources: list[_Resource]


class _Statement(msgspec.Struct, frozen=True):
    predicate: _Predicate

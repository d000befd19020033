"""``${env:NAME}`` and ``${file:PATH}``: values that do not stand in the file, and are never printed.

A value that came in this way, and every password of a Kafka client wherever it came from, is a
``Secret``: a text whose ``repr`` hides it, so that neither a message with ``{value!r}`` nor the ``repr``
of an options object shows it. The names that are published anyway (in every decision and metric) are
plain texts even so: ``PUBLISHED``.
"""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from pathlib import Path as FilePath

from streamproc.config.tree import Node, Path
from streamproc.core import Problem

HIDDEN = "***"
PUBLISHED: tuple[Path, ...] = (
    ("name",),
    ("source", "kafka", "topics"),
    ("sink", "kafka", "topic"),
    ("outcomes",),
    ("output", "labels"),
)
"""What stands in decisions and metrics, and so is no secret."""
FILE_BYTES_MAX = 64 * 1024
"""Room for a chain of certificates."""
REDACTED_LENGTH_MIN = 4
"""Shorter texts are left in messages: replacing each "a" would hide the message, not the secret."""

REGISTRIES: tuple[Path, ...] = tuple(
    (part, name, "registry")
    for part, names in (
        ("codec", ("avro", "protobuf", "json_schema")),
        ("decisions", ("avro", "protobuf")),
    )
    for name in names
)
"""Where schema registries are named."""
_CLIENTS: tuple[Path, ...] = (
    ("source", "kafka"),
    ("sink", "kafka"),
    ("record", "redact"),
    *REGISTRIES,
)
_ENDPOINTS: Path = ("telemetry", "metrics")
_SENSITIVE = re.compile(r"password|passwd|secret|token|passphrase|jaas", re.IGNORECASE)
_TOKEN = "sasl_oauthbearer_token"  # noqa: S105 - the setting's name
_FILE = re.compile(r"\$\{file:([^}]+)\}")
_REFERENCE = re.compile(r"\$?\$\{([^}]*)\}")


class Secret(str):
    """A text that does not show itself: ``repr`` gives ``'***'``; ``str(secret)`` is the text."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN)


def is_sensitive(key: str) -> bool:
    """True for names of settings whose values are passwords or the like."""
    return _SENSITIVE.search(key) is not None and not key.endswith(("_file", "_url"))


def read_again(root: Node, folder: FilePath) -> None:
    """Name the file of a token that comes from one, in place of what it holds now: it is kept fresh by others.

    Args:
        root: the tree, changed: ``sasl_oauthbearer_token: ${file:PATH}`` becomes ``sasl_oauthbearer_token_file``.
        folder: what relative paths start from.
    """
    for client in _CLIENTS:
        security = root.mapping((*client, "security"))
        node = security.get(_TOKEN)
        if node is not None and (found := _FILE.fullmatch(str(node.value))):
            del security[_TOKEN]
            security[f"{_TOKEN}_file"] = Node(str(folder / found[1]), node.place)


def resolve(
    root: Node, *, folder: FilePath, environ: Mapping[str, str], problems: list[Problem]
) -> tuple[frozenset[str], set[Path]]:
    """Put in what ``${...}`` stands for.

    Args:
        root: the tree, changed.
        folder: what relative paths start from.
        environ: the environment.
        problems: takes what is missing.

    Returns:
        The secret texts, for ``redact``, and the paths whose reference leads nowhere.
    """
    secrets: set[str] = set()
    unresolved: set[Path] = set()
    for path, node in root.walk():
        if isinstance(node.value, dict | list):
            continue
        published = any(path[: len(known)] == known for known in PUBLISHED)
        if isinstance(node.value, str) and "${" in node.value:
            before = len(problems)
            _expand(node, path, (folder, environ), problems, None if published else secrets)
            unresolved.update({path} if len(problems) > before else ())
        if _in_client(path) and _text_only(path) and node.value is not None:
            # As it was written: a password 0123 or 1e5 is no number, nor is `false` a truth value here.
            text = node.value if isinstance(node.value, str) else node.text
            hide = is_sensitive(str(path[-1])) or isinstance(text, Secret)
            node.value = node.text = Secret(text) if hide else text
            secrets.update({text} if hide else ())
    kept = frozenset(secret for secret in secrets if len(secret) >= REDACTED_LENGTH_MIN)
    return kept, unresolved


def redact(text: str, secrets: AbstractSet[str]) -> str:
    """The text without the secrets."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def secrets_of(config: object) -> frozenset[str]:
    """The secret texts in a configuration's objects, for ``redact``.

    Args:
        config: a configuration, or a part of one, however it was made.
    """
    found: set[str] = set()
    _gather(config, (), found)
    return frozenset(text for text in found if len(text) >= REDACTED_LENGTH_MIN)


def _gather(value: object, path: tuple[str, ...], found: set[str]) -> None:
    if isinstance(value, str):
        # A field of records may be called token, too: its type is no secret.
        hidden = path[-2:-1] in {
            ("security",),
            ("metrics",),
            ("alerts",),
            ("serve",),
        } and is_sensitive(path[-1])
        found.update({str(value)} if hidden or isinstance(value, Secret) else ())
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            _gather(getattr(value, field.name), (*path, field.name), found)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            _gather(inner, (*path, str(name)), found)
    elif isinstance(value, list | tuple):
        for inner in value:
            _gather(inner, path, found)


def _in_client(path: Path) -> bool:
    return any(path[: len(known)] == known for known in (*_CLIENTS, _ENDPOINTS))


def _text_only(path: Path) -> bool:
    return "security" in path[:-1] or is_sensitive(str(path[-1]))


def _expand(
    node: Node,
    path: Path,
    outside: tuple[FilePath, Mapping[str, str]],
    problems: list[Problem],
    secrets: set[str] | None,
) -> None:
    """Replace the references in one text; with ``secrets``, what they stand for is one."""
    place = node.place

    def fill(match: re.Match[str]) -> str:
        if match[0].startswith("$$"):
            return match[0][1:]
        try:
            value = _look_up(match[1], *outside)
        except LookupError as error:
            key = ".".join(map(str, path))
            problems.append(Problem(str(error.args[0]), key, place.line, place.origin))
            return ""
        if secrets is not None:
            secrets.add(value)
        return value

    before = str(node.value)
    text = _REFERENCE.sub(fill, before)
    secret = secrets is not None and _REFERENCE.sub("", before.replace("$${", "")) != before
    node.value = node.text = Secret(text) if secret else text


def _look_up(reference: str, folder: FilePath, environ: Mapping[str, str]) -> str:
    """What a reference stands for.

    Raises:
        LookupError: there is nothing; the text says what to do.
    """
    kind, colon, name = reference.partition(":")
    if kind == "env" and name:
        if name not in environ:
            message = f"the environment variable {name} is not set; set it, or write the value"
            raise LookupError(message)
        return environ[name]
    if kind == "file" and name:
        return _read_file(folder / name)
    example = f"${{env:{reference}}}" if not colon and reference else "${env:NAME}"
    message = (
        f"${{{reference}}} is not known: write {example} or ${{file:PATH}}, or $${{ for a plain ${{"
    )
    raise LookupError(message)


def _read_file(path: FilePath) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            message = f"{path} is longer than {FILE_BYTES_MAX} bytes; name the file of the secret"
            raise LookupError(message)
        return content.decode().rstrip("\r\n")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        message = f"{path} cannot be read: {why}"
        raise LookupError(message) from None

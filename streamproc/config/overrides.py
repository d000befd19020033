"""Values from outside the file: ``--set source.kafka.topics='[a]'`` and ``STREAMPROC_SOURCE__KAFKA__TOPICS``."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from streamproc.config.kafka_names import CLIENTS, is_kafka_name, rename
from streamproc.config.secrets import is_sensitive
from streamproc.config.spec import PipelineConfig
from streamproc.config.tree import Node, Place
from streamproc.config.yaml_lines import DEPTH_MAX, read_yaml
from streamproc.core import ConfigError, Problem

PREFIX = "STREAMPROC_"
_NAMES = (
    *(("codec", name, "fields") for name in ("json", "avro", "protobuf", "json_schema")),
    ("model", "inputs"),
)
"""Mappings whose keys may hold dots; what follows them is one key."""
_POSITION_DIGITS_MAX = 5


@dataclass(frozen=True, slots=True)
class Override:
    """One value that stands over the file's.

    Attributes:
        path: the key's path.
        node: the value.
        fold_case: True where the names lost their case, as in the environment.
    """

    path: tuple[str, ...]
    node: Node
    fold_case: bool = False


def from_environment(environ: Mapping[str, str], problems: list[Problem]) -> list[Override]:
    """The overrides among the environment's variables, in the order of their names.

    ``STREAMPROC_`` and a name without ``__`` counts only where it is a key of the file: Kubernetes sets
    variables such as ``STREAMPROC_PORT`` for a service of this name.

    Args:
        environ: the environment.
        problems: takes what is wrong.
    """
    top = {field.name for field in fields(PipelineConfig)}
    found: list[Override] = []
    for name in sorted(environ):
        if not name.startswith(PREFIX):
            continue
        words = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if len(words) > 1 or words[0] in top:
            node = _value(environ[name], Place(name), ".".join(words), problems)
            if node is not None:
                found.append(Override(words, node, fold_case=True))
    return found


def from_arguments(arguments: Iterable[str], problems: list[Problem]) -> list[Override]:
    """The overrides of ``--set KEY=VALUE``, in the order they were given.

    Args:
        arguments: each ``KEY=VALUE``, the value in YAML.
        problems: takes what is wrong.
    """
    found: list[Override] = []
    for argument in arguments:
        key, equals, text = argument.partition("=")
        key = key.strip()
        if not equals or not all(key.split(".")):
            # The text is not repeated: it may be a password whose key was forgotten.
            message = "must be KEY=VALUE, such as --set deadline.budget=20ms"
            problems.append(Problem(message, origin="--set"))
            continue
        node = _value(text, Place(f"--set {key}"), key, problems)
        if node is not None:
            found.append(Override(split_key(key), node))
    return found


def split_key(key: str) -> tuple[str, ...]:
    """A dotted key's path; names that hold dots themselves stay whole."""
    parts = tuple(key.split("."))
    for names in _NAMES:
        if parts[: len(names)] == names and len(parts) > len(names):
            return (*names, ".".join(parts[len(names) :]))
    rest = ".".join(parts[2:])
    if parts[:2] in CLIENTS and is_kafka_name(rest):
        return (*parts[:2], rest)
    return parts


def apply(root: Node, overrides: Sequence[Override], problems: list[Problem]) -> None:
    """Put the values into the tree; a later one stands over an earlier.

    Args:
        root: the file's tree, changed.
        overrides: what to put where.
        problems: takes what is wrong.
    """
    for override in overrides:
        if len(override.path) > DEPTH_MAX:
            message = f"has more than {DEPTH_MAX} parts"
            problems.append(Problem(message, origin=override.node.place.origin))
            continue
        known = _with_our_name(override, problems)
        if known is not None:
            _put(root, known, problems)


def _with_our_name(override: Override, problems: list[Problem]) -> Override | None:
    """The override with our name for a setting of Kafka's; None where the setting is refused."""
    client = override.path[:2]
    if client not in CLIENTS or len(override.path) != len(client) + 1:
        return override
    place = override.node.place
    entries = {override.path[-1]: override.node}
    alone = Node({client[0]: Node({client[1]: Node(entries, place)}, place)}, place)
    rename(alone, problems)
    path: tuple[str, ...] = client
    node = next(iter(entries.values()), None)
    for name in entries:
        path = (*client, name)
        if name != override.path[-1] and node is not None and isinstance(node.value, dict):
            inner, node = next(iter(node.value.items()))  # moved into `security` or `client`
            path = (*path, inner)
    return Override(path, node, override.fold_case) if node is not None else None


def _put(root: Node, override: Override, problems: list[Problem]) -> None:
    node = root
    for position, part in enumerate(override.path):
        last = position == len(override.path) - 1
        if not isinstance(node.value, dict | list):
            node.value = {}  # a scalar gives way to what is put under it
        if isinstance(node.value, list):
            index = _position(part)
            if index >= len(node.value):
                message = f"{part!r} is no position in this list of {len(node.value)}; count from 0"
                place, key = override.node.place, ".".join(override.path)
                problems.append(Problem(message, key, place.line, place.origin))
                return
            if last:
                node.value[index] = override.node
            else:
                node = node.value[index]
            continue
        key = _same_key(node.value, part) if override.fold_case else part
        if last:
            node.value[key] = override.node
        else:
            node = node.value.setdefault(key, Node({}, override.node.place))


def _position(part: str) -> int:
    short = part.isascii() and part.isdecimal() and len(part) <= _POSITION_DIGITS_MAX
    return int(part) if short else 10**_POSITION_DIGITS_MAX


def _same_key(entries: Mapping[str, Node], part: str) -> str:
    return next((key for key in entries if key.lower() == part), part)


def _value(text: str, place: Place, key: str, problems: list[Problem]) -> Node | None:
    if is_sensitive(key.rpartition(".")[2]) and text[:1] not in {"'", '"'}:
        return Node(text, place, text)  # `a: b #c` is a good password, and would be no text in YAML
    try:
        node = read_yaml(text, origin=place.origin)
    except ConfigError:
        # The parser's words may quote the value, and that may be a secret.
        message = "the value is no valid YAML; put a text with special characters in quotes"
        problems.append(Problem(message, key, None, place.origin))
        return None
    for _, below in node.walk():
        below.place = place
    return node

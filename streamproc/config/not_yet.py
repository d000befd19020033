"""Keys and values of the agreed file that this version does not have: refused, never ignored."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from streamproc.config.tree import Node, Path
from streamproc.core import Problem


@dataclass(frozen=True, slots=True)
class _Later:
    """What a later version brings.

    Attributes:
        key: its dotted path.
        values: the values meant; empty for any but null.
        instead: what to do today.
        part: the path that cannot be judged without it; by default the key itself.
    """

    key: str
    values: frozenset[str] = frozenset()
    instead: str = "remove it"
    part: str = ""


_JSON = "use json, arrow or tensor"
_LATER = (
    *(_Later(f"codec.{n}", instead=_JSON, part="codec") for n in ("avro", "protobuf")),
)  # fmt: skip
_HYPHENED = ("delivery",)
"""Keys whose values may be written with hyphens."""


def release() -> str:
    """``streamproc 0.1.0``, for messages."""
    try:
        return f"streamproc {version('streamproc')}"
    except PackageNotFoundError:
        return "this streamproc"


def take_out(root: Node, problems: list[Problem]) -> set[Path]:
    """Remove what is not there yet, with a problem for each.

    Args:
        root: the tree, changed.
        problems: takes what is refused.

    Returns:
        The paths that cannot be judged any further.
    """
    _unhyphen(root)
    gone: set[Path] = set()
    for later in _LATER:
        path: Path = tuple(later.key.split("."))
        node = root.at(path)
        if node is None or not _is_meant(node, later):
            continue
        if _asks_nothing(node, later):
            root.mapping(path[:-1]).pop(str(path[-1]))
            continue
        said = f"{path[-1]} {node.value}" if later.values else str(path[-1])
        problems.append(root.problem(path, f"{said} is not yet in {release()}: {later.instead}"))
        gone.add(tuple((later.part or later.key).split(".")))
    for path in gone:
        root.mapping(path[:-1]).pop(str(path[-1]), None)
    return gone


def _unhyphen(root: Node) -> None:
    for key in _HYPHENED:
        node = root.at((key,))
        if node is not None and isinstance(node.value, str):
            node.value = node.value.replace("-", "_")


def _is_meant(node: Node, later: _Later) -> bool:
    return not later.values or (isinstance(node.value, str) and node.value in later.values)


def _asks_nothing(node: Node, later: _Later) -> bool:
    """True for `ledger_topic: null`; a null codec or executor asks for its defaults."""
    return not later.part and (node.value is None or node.value == [])

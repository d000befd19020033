"""What a file says, as a tree in which every value knows its place."""

from collections.abc import Iterator
from dataclasses import dataclass

from streamproc.core import Problem

Path = tuple[str | int, ...]
"""The way to a value: keys and positions in lists."""

Finding = tuple[Path, str]
"""Where something is wrong, and what."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is written.

    Attributes:
        origin: the file, ``--set KEY`` or the environment variable.
        line: from 1; None outside of files.
    """

    origin: str = ""
    line: int | None = None


@dataclass(slots=True)
class Node:
    """A value and its place.

    Attributes:
        value: a list or mapping of nodes, or a scalar.
        place: where its key is written; in a list, where it begins.
        text: a scalar as it was written, before it became a number or a truth value.
    """

    value: "dict[str, Node] | list[Node] | str | int | float | None"
    place: Place
    text: str = ""

    def plain(self) -> object:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, path: Path) -> "Node | None":
        """The node at a path, None where there is none."""
        node: Node | None = self
        for part in path:
            node = node.child(part) if node is not None else None
        return node

    def child(self, part: str | int) -> "Node | None":
        """The node under a key or at a position, None where there is none."""
        if isinstance(self.value, dict):
            return self.value.get(str(part))
        if isinstance(self.value, list) and isinstance(part, int) and part < len(self.value):
            return self.value[part]
        return None

    def mapping(self, path: Path) -> "dict[str, Node]":
        """The mapping at a path, to read and change; an empty one where there is none."""
        node = self.at(path)
        return node.value if node is not None and isinstance(node.value, dict) else {}

    def children(self) -> "list[tuple[str | int, Node]]":
        """What is in a mapping or list."""
        if isinstance(self.value, dict):
            return list(self.value.items())
        if isinstance(self.value, list):
            return list(enumerate(self.value))
        return []

    def walk(self, path: Path = ()) -> Iterator[tuple[Path, "Node"]]:
        """This node and all below it, with their paths from ``path`` on."""
        yield path, self
        for part, node in self.children():
            yield from node.walk((*path, part))

    def copy(self, place: Place | None = None) -> "Node":
        """A tree of its own, so that a change of one leaves the other; put at a place if one is given."""
        value = self.value
        if isinstance(value, dict):
            value = {key: node.copy() for key, node in value.items()}
        elif isinstance(value, list):
            value = [node.copy() for node in value]
        return Node(value, place or self.place, self.text)

    def place_of(self, path: Path) -> Place:
        """The place of a path, or of the nearest above it that is written."""
        place, node = self.place, self
        for part in path:
            below = node.child(part)
            if below is None:
                break
            place, node = below.place, below
        return place

    def problem(self, path: Path, message: str) -> Problem:
        """A problem with the value at a path."""
        place = self.place_of(path)
        return Problem(message, key=dotted(path), line=place.line, origin=place.origin)


def dotted(path: Path) -> str:
    """A path as people write it: ``source.kafka.topics[0]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(
        "."
    )

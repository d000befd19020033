"""YAML to a tree with line numbers; plain data only, all of it bounded.

Built on PyYAML's events rather than its constructors: no tag makes an object, the depth and the number
of values are counted while they are read (aliases included: the "billion laughs" stop at the limit),
and plain words mean what YAML 1.2's core schema says: ``no``, ``on`` and ``12:30`` are texts.
"""

import re

import yaml

from streamproc.config.tree import Node, Path, Place, dotted
from streamproc.core import ConfigError, Problem

BYTES_MAX = 256 * 1024
"""A pipeline's file has some kilobytes; PyYAML reads about 100 kB a second."""
VALUES_MAX = 10_000
DEPTH_MAX = 32
"""Contract keys lie at most six deep; what is deeper would only strain the stack."""
_DIGITS_MAX = 40

_NULL = re.compile(r"^(~|null|Null|NULL|)$")
_BOOL = re.compile(r"^(true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^[-+]?[0-9]+$|^0o[0-7]+$|^0x[0-9a-fA-F]+$")
_FLOAT = re.compile(
    r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$|^[-+]?\.(inf|Inf|INF)$|^\.(nan|NaN|NAN)$"
)
_CORE_TAGS = {None, "!", "tag:yaml.org,2002:str"}


def read_yaml(text: str, *, origin: str) -> Node:
    """Read one YAML document.

    Args:
        text: the document.
        origin: where it comes from, for the messages.

    Raises:
        ConfigError: it is no YAML, or beyond a limit, or names a key twice.
    """
    if len(text.encode(errors="replace")) > BYTES_MAX:
        raise ConfigError(Problem(f"is longer than {BYTES_MAX} bytes", origin=origin))
    reader = _Reader(text, origin)
    try:
        node = reader.document()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = "has a character that YAML does not allow; save the file as plain UTF-8 text"
        raise ConfigError(Problem(message, line=line, origin=origin)) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        message = f"is no valid YAML: {error.problem or error.context}"
        if "${" in "".join(text.splitlines()[line - 1 : line]):
            message += "; inside { } and [ ] put ${...} in quotes"
        raise ConfigError(Problem(message, line=line, origin=origin)) from None
    if reader.problems:
        raise ConfigError(*reader.problems)
    return node


class _Reader:
    """Builds the tree from the parser's events."""

    def __init__(self, text: str, origin: str) -> None:
        self._events = yaml.parse(text, Loader=yaml.SafeLoader)
        self._origin = origin
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._values_count = 0
        self.problems: list[Problem] = []

    def document(self) -> Node:
        next(self._events)  # stream start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return Node(None, Place(self._origin, 1))
        root = self._node(next(self._events), ())
        next(self._events)  # document end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._error(after, "holds a second document; one file describes one pipeline")
        return root

    def _node(self, event: yaml.Event, path: Path) -> Node:
        if len(path) > DEPTH_MAX:
            raise self._error(event, f"is nested deeper than {DEPTH_MAX} levels")
        if getattr(event, "tag", None) not in _CORE_TAGS:
            raise self._error(event, "has a tag (!...); plain values only", path)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        before = self._values_count
        self._count(event, 1)
        if isinstance(event, yaml.MappingStartEvent):
            node = self._mapping(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, path)
        else:
            text = str(getattr(event, "value", ""))
            implicit = getattr(event, "implicit", (False,))[0]  # neither quoted nor tagged
            node = Node(plain_value(text) if implicit else text, self._place(event), text)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._anchors[anchor] = (node, self._values_count - before)
        return node

    def _alias(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            message = "is no valid YAML: a text that begins with * stands for an earlier &anchor, and there is none; put the text in quotes"
            raise self._error(event, message)
        node, size = self._anchors[event.anchor]
        self._count(event, size)
        return node.copy(self._place(event))

    def _mapping(self, event: yaml.MappingStartEvent, path: Path) -> Node:
        entries: dict[str, Node] = {}
        while not isinstance(key_event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(key_event, yaml.ScalarEvent):
                raise self._error(key_event, "has a key that is no plain word")
            key, place = str(key_event.value), self._place(key_event)
            node = self._node(next(self._events), (*path, key))
            node.place = place
            if key == "<<":
                self.problems.append(
                    self._problem(
                        key_event, "merge keys are not read; write the keys", (*path, key)
                    )
                )
            elif key in entries:
                first = entries[key].place.line
                message = f"is given twice, first in line {first}; keep one"
                self.problems.append(self._problem(key_event, message, (*path, key)))
            else:
                entries[key] = node
        return Node(entries, self._place(event))

    def _sequence(self, event: yaml.SequenceStartEvent, path: Path) -> Node:
        items: list[Node] = []
        while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(item, (*path, len(items))))
        return Node(items, self._place(event))

    def _count(self, event: yaml.Event, more: int) -> None:
        self._values_count += more
        if self._values_count > VALUES_MAX:
            raise self._error(event, f"holds more than {VALUES_MAX} values, aliases included")

    def _place(self, event: yaml.Event) -> Place:
        return Place(self._origin, event.start_mark.line + 1 if event.start_mark else 1)

    def _problem(self, event: yaml.Event, message: str, path: Path = ()) -> Problem:
        return Problem(message, dotted(path), self._place(event).line, self._origin)

    def _error(self, event: yaml.Event, message: str, path: Path = ()) -> ConfigError:
        return ConfigError(*self.problems, self._problem(event, message, path))


def plain_value(text: str) -> str | int | float | None:
    """What an unquoted word means under YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema)."""
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text.lower() == "true"
    if len(text) > _DIGITS_MAX:
        return text
    if _INT.match(text):
        return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
    if _FLOAT.match(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text

"""Avro schemas: read, made safe, and prepared to pick fields out of data."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from types import MappingProxyType
from typing import Any, TypeAlias

import fastavro
from fastavro.schema import SchemaParseException, UnknownType

from streamproc.core import Reason, RecordError

ParsedSchema: TypeAlias = Any
"""A schema as fastavro parses it."""
Path: TypeAlias = tuple[str, ...]
_TEXT_MAX = 1 << 20
_DEPTH_MAX = 64
"""Of types inside types: fastavro's recursion in C has no limit of its own."""
_WEIGHT_MAX = 65_536
"""Of types, counted as often as they are used: a type of two of a type of two ... of nothing takes no bytes and no end."""
_LOGICAL = "streamproc-logical"
"""Where a logical type is kept, so that fastavro does not make objects of numbers."""
_PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


@dataclass(frozen=True, slots=True)
class AvroType:
    """A type with the names in it looked up; a type that is used twice is one object.

    Attributes:
        kind: ``record``, ``union``, ``array``, ``map``, ``enum``, ``fixed`` or a primitive.
        fields: of a record, by name, in their order.
        branches: of a union; the one of items or values for an array or a map.
        symbols: of an enum.
        size: of a fixed, in bytes.
        scale: of a decimal; None for what is none.
        depth: types inside types.
        weight: how many types it is made of, counted as often as they are used.
    """

    kind: str
    fields: Mapping[str, "AvroType"] = field(default_factory=dict)
    branches: tuple["AvroType", ...] = ()
    symbols: tuple[str, ...] = ()
    size: int = 0
    scale: int | None = None
    depth: int = 1
    weight: int = 1

    @property
    def may_be_empty(self) -> bool:
        """Whether a value can take no bytes at all."""
        if self.kind == "record":
            return all(inner.may_be_empty for inner in self.fields.values())
        return self.kind == "null" or (self.kind == "fixed" and not self.size)


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """A record's schema.

    Attributes:
        parsed: for fastavro.
        type: the same, to look at.
    """

    parsed: ParsedSchema
    type: AvroType


def parse_avro(text: str, references: Sequence[tuple[str, str]] = ()) -> AvroSchema:
    """A schema, without its logical types: data are what is on the wire.

    Args:
        text: the schema's JSON.
        references: named schemas that it refers to, each before those that refer to it.

    Raises:
        RecordError: it is none, or one that is not read here.
    """
    named: dict[str, Any] = {}
    try:
        for _, reference in references:
            fastavro.parse_schema(_document(reference), named_schemas=named)
        parsed = fastavro.parse_schema(_document(text), named_schemas=named)
        found = _Reading(named).type_of(parsed)
    except RecordError:
        raise
    except (SchemaParseException, UnknownType, LookupError, TypeError, ValueError, RecursionError) as error:  # fmt: skip
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise RecordError(Reason.UNDECODABLE, f"no Avro schema: {said}") from None
    if found.kind != "record":
        raise RecordError(Reason.UNDECODABLE, f"is of type {found.kind}: an event is a record")
    return AvroSchema(parsed, found)


def picker(shape: AvroType, paths: Sequence[Path]) -> Callable[[Any], tuple[Any, ...]]:
    """What takes the values of fields out of one datum, None for what is not there.

    Args:
        shape: the type of the data.
        paths: where the fields are.

    Raises:
        RecordError: a field is not in the schema, or of a type that no column is made of.
    """
    leaves = [leaf_of(shape, path) for path in paths]
    plain = all(len(path) == 1 for path in paths) and all(leaf.scale is None for leaf in leaves)
    if plain and len(paths) > 1:
        return itemgetter(*(path[0] for path in paths))
    getters = [
        partial(_decimal_of, path, leaf.scale)
        if leaf.scale is not None
        else partial(_value_of, path)
        for path, leaf in zip(paths, leaves, strict=True)
    ]
    return lambda datum: tuple([get(datum) for get in getters])


def leaf_of(shape: AvroType, path: Path) -> AvroType:
    """The type at a path, without null.

    Raises:
        RecordError: the path leads nowhere, or to what no column is made of.
    """
    found = shape
    for place, part in enumerate(path):
        found = _without_null(found, path[:place])
        if found.kind == "map":
            (found,) = found.branches
        elif part in found.fields:
            found = found.fields[part]
        else:
            there = ", ".join(found.fields) or f"a {found.kind}"
            text = f"field {'.'.join(path)!r} is missing: in {'.'.join(path[:place]) or 'the record'} there are {there}"
            raise RecordError(Reason.MISSING_FIELD, text)
    found = _without_null(found, path)
    if found.kind in ("record", "map") or (
        found.kind in ("bytes", "fixed") and found.scale is None
    ):
        text = f"field {'.'.join(path)!r} is a {found.kind}: no column is made of it"
        raise RecordError(Reason.WRONG_TYPE, text)
    return found


def _without_null(found: AvroType, path: Path) -> AvroType:
    if found.kind != "union":
        return found
    others = [branch for branch in found.branches if branch.kind != "null"]
    if len(others) != 1:
        text = f"field {'.'.join(path)!r} is a union of several types: no column is made of it"
        raise RecordError(Reason.WRONG_TYPE, text)
    return others[0]


def _value_of(path: Path, datum: Any) -> Any:  # noqa: ANN401 - what fastavro gives
    for part in path:
        if datum is None:
            return None
        datum = datum.get(part)
    return datum


def _decimal_of(path: Path, scale: int, datum: Any) -> float | None:  # noqa: ANN401
    """A decimal as the nearest float64: Python divides whole numbers so that it is."""
    unscaled = _value_of(path, datum)
    if unscaled is None:
        return None
    try:
        number: float = int.from_bytes(unscaled, signed=True) / 10**scale
    except OverflowError:
        text = f"field {'.'.join(path)!r} does not fit in float64"
        raise RecordError(Reason.NOT_FINITE, text) from None
    return number


def _document(text: str) -> Any:  # noqa: ANN401 - a schema is any JSON
    if len(text) > _TEXT_MAX:
        raise RecordError(
            Reason.UNDECODABLE, f"has {len(text)} characters, the limit is {_TEXT_MAX}"
        )
    return json.loads(text, object_hook=_plain)


def _plain(node: dict[str, Any]) -> dict[str, Any]:
    if "logicalType" in node:
        node[_LOGICAL] = node.pop("logicalType")
    return node


class _Reading:
    """Looks the names up."""

    def __init__(self, named: Mapping[str, Any]) -> None:
        self._named = named
        self._known: dict[str, AvroType] = {}
        self._open: list[str] = []

    def type_of(self, schema: Any) -> AvroType:  # noqa: ANN401
        found = self._type_of(schema)
        if found.weight > _WEIGHT_MAX:
            raise RecordError(Reason.UNDECODABLE, f"is made of more than {_WEIGHT_MAX} types")
        if found.depth > _DEPTH_MAX:
            raise RecordError(
                Reason.UNDECODABLE, f"has more than {_DEPTH_MAX} types inside each other"
            )
        return found

    def _type_of(self, schema: Any) -> AvroType:  # noqa: ANN401, PLR0911 - one for each kind
        if isinstance(schema, list):
            branches = tuple(map(self.type_of, schema))
            return _made("union", branches, branches=branches)
        if isinstance(schema, str):
            return AvroType(schema) if schema in _PRIMITIVES else self._by_name(schema, schema)
        kind = schema["type"]
        if isinstance(kind, dict | list):
            return self._type_of(kind)
        match kind:
            case "record" | "error":
                return self._by_name(schema["name"], schema)
            case "array" | "map":
                inner = self.type_of(schema["items" if kind == "array" else "values"])
                if inner.may_be_empty:  # a few bytes could say that there are 2^60 of them
                    raise RecordError(
                        Reason.UNDECODABLE, f"has an {kind} of {inner.kind} that takes no bytes"
                    )
                return _made(kind, (inner,), branches=(inner,))
            case "enum":
                return AvroType(kind, symbols=tuple(schema["symbols"]))
            case "fixed":
                return AvroType(kind, size=schema["size"], scale=_scale_of(schema))
            case _ if kind in _PRIMITIVES:
                return AvroType(kind, scale=_scale_of(schema))
            case _:
                return self._by_name(kind, kind)

    def _by_name(self, name: str, schema: Any) -> AvroType:  # noqa: ANN401
        if name in self._open:
            raise RecordError(Reason.UNDECODABLE, f"is recursive: {name} holds itself")
        if name not in self._known:
            whole = self._named[name] if isinstance(schema, str) else schema
            if whole.get("type") not in ("record", "error"):
                self._known[name] = self._type_of(whole)
            else:
                self._open.append(name)
                inner = {item["name"]: self.type_of(item["type"]) for item in whole["fields"]}
                self._open.pop()
                self._known[name] = _made("record", tuple(inner.values()), fields=inner)
        return self._known[name]


def _made(
    kind: str,
    inner: Sequence[AvroType],
    *,
    fields: Mapping[str, AvroType] = MappingProxyType({}),
    branches: tuple[AvroType, ...] = (),
) -> AvroType:
    """A type that is made of others."""
    depth = 1 + max((found.depth for found in inner), default=0)
    weight = 1 + sum(found.weight for found in inner)
    return AvroType(kind, fields=fields, branches=branches, depth=depth, weight=weight)


def _scale_of(schema: Mapping[str, Any]) -> int | None:
    return schema.get("scale", 0) if schema.get(_LOGICAL) == "decimal" else None

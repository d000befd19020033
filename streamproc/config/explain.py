"""pydantic's errors in words for people, at the place that they are about."""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from pydantic_core import ErrorDetails

from streamproc.config.docstrings import attributes
from streamproc.config.foreign_names import nearest, suggestion
from streamproc.config.scalars import shown
from streamproc.config.shape import choice_of, is_section, is_tag, is_union, keys_of, tag_of
from streamproc.config.tree import Path


@dataclass(frozen=True, slots=True)
class _Inside:
    """The section behind a choice's key, where the class alone would stand for the choice."""

    kind: type


def explain(detail: ErrorDetails, annotation: object) -> tuple[Path, str]:
    """One error's path, from the value of this type on, and what is wrong there.

    Args:
        detail: pydantic's account.
        annotation: the Python type of what was read.
    """
    location, value = detail["loc"], detail["input"]
    path: Path = tuple(part for part in location if not is_tag(part))
    owner = type_at(annotation, location)
    match detail["type"]:
        case "missing":
            message = _missing(str(location[-1]), type_at(annotation, location[:-1]))
        case "extra_forbidden":
            names = names_in(type_at(annotation, location[:-1]))
            message = f"unknown key; {suggestion(str(location[-1]), names)}"
        case "value_error":
            path, message = _at_field(path, str(detail.get("ctx", {}).get("error", "")), owner)
        case "literal_error":
            message = _not_among(value, owner)
        case "tuple_type":
            instead = f": write [{value}]" if type(value) is str and value.isidentifier() else ""
            message = f"must be a list such as [a, b], was {shown(value)}{instead}"
        case "dict_type":
            names = names_in(owner)
            keys = f" of {', '.join(names)}" if names else ""
            message = f"must be a mapping{keys}, was {shown(value)}"
        case _:
            message = f"does not fit: {detail['msg']}"
    return path, message


def type_at(annotation: Any, location: Sequence[str | int]) -> object:  # noqa: ANN401 - a type
    """The Python type at a location inside a type; None where there is none.

    Args:
        annotation: the type to begin with.
        location: keys, positions and the tags of unions.
    """
    if not location:
        return annotation
    head, rest = location[0], location[1:]
    choice = choice_of(annotation)
    if choice is not None:
        if is_tag(head):  # a mapping, where a text would be something else
            kind: object = annotation
        else:
            kind = _Inside(choice[str(head)]) if head in choice else None
        return None if kind is None else type_at(kind, rest)
    section = _section(annotation)
    if section is not None:
        key = keys_of(section).get(str(head))
        return type_at(key.type, rest) if key is not None else None
    members = [member for member in get_args(annotation) if member is not types.NoneType]
    if is_tag(head):
        return next((type_at(m, rest) for m in members if tag_of(m) == head), None)
    origin = get_origin(annotation)
    if origin in (Sequence, tuple, Mapping):
        return type_at(members[-1 if origin is Mapping else 0], rest)
    return type_at(members[0], location) if len(members) == 1 else None


def names_in(owner: object) -> list[str]:
    """The keys that a section or choice may hold; empty where any are allowed."""
    choice = choice_of(owner)
    if choice is not None:
        return list(choice)
    section = _section(owner)
    return list(keys_of(section)) if section is not None else []


def _section(owner: object) -> type | None:
    """The dataclass that an owner is, or may be beside null; or None."""
    kind = owner.kind if isinstance(owner, _Inside) else owner
    if is_section(kind):
        return kind
    members = set(get_args(kind)) - {types.NoneType} if is_union(kind) else ()
    sections = [member for member in members if is_section(member)]
    return sections[0] if len(sections) == len(members) == 1 else None


def _missing(name: str, owner: object) -> str:
    section = _section(owner)
    meaning = attributes(section).get(name, "") if section is not None else ""
    return f"is missing: {meaning.rstrip('.')}" if meaning else "is missing"


def _not_among(value: object, owner: object) -> str:
    names = [str(name) for name in get_args(owner)] if get_origin(owner) is Literal else []
    near = nearest(value, names) if type(value) is str else ""
    one_of = "one of " if len(names) > 1 else ""
    hint = f"; did you mean {near}?" if near else ""
    return f"must be {one_of}{', '.join(names)}, was {shown(value)}{hint}"


def _at_field(path: Path, message: str, owner: object) -> tuple[Path, str]:
    """A constructor's message begins with the field that it is about: point there."""
    field, _, rest = message.partition(" ")
    if field not in names_in(owner):
        return path, message
    return (*path, field), rest if rest.startswith(("is ", "must ")) else message

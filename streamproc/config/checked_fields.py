"""What a check finds, and the fields that other keys may name."""

from collections.abc import Generator, Iterator
from typing import TypeAlias

from streamproc.codecs import ArrowCodec, Codec, FieldType, JsonCodec, TensorCodec
from streamproc.config.foreign_names import nearest
from streamproc.config.tree import Path

Finding: TypeAlias = tuple[Path, str]
"""Where something is wrong, and what."""


def field_at(codec: Codec, name: str, path: Path) -> Generator[Finding, None, FieldType | None]:
    """The type of a field that is named at a path, if it is one."""
    if isinstance(codec, ArrowCodec) and not codec.fields:
        return None  # they are those that are named
    if name in codec.fields:
        try:
            return FieldType.parse(codec.fields[name])
        except ValueError:
            return None  # reported with the codec
    where = "codec.json.fields" if isinstance(codec, JsonCodec) else "codec.arrow.fields"
    if isinstance(codec, TensorCodec):
        where = "the tensor"
    near = nearest(name, codec.fields)
    hint = f"did you mean {near}?" if near else f"there are {', '.join(codec.fields)}"
    yield path, f"{name!r} is no field of {where}; {hint}"
    return None


def fields_at(
    codec: Codec, names: Iterator[str], path: Path
) -> Generator[Finding, None, dict[str, FieldType] | None]:
    """The types of fields that are named at a path; None where not all are known."""
    found: dict[str, FieldType] = {}
    complete = True
    for name in names:
        kind = yield from field_at(codec, name, path)
        if kind is None:
            complete = False
        else:
            found[name] = kind
    return found if complete else None

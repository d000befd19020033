"""The file's shape, made of the dataclasses: what pydantic validates and describes.

A Python user writes ``source=KafkaSource(...)``; the file says ``source: {kafka: {...}}``, so that the
kinds can be told apart. ``CHOICES`` is the one table of these names. For each dataclass a ``TypedDict``
with the file's keys (``from``, not ``from_``) is made, and behind it a validator that calls the
dataclass; so the places of errors, and the JSON Schema, have the shape of the file.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    TypeGuard,
    Union,
    get_args,
    get_origin,
)

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Tag
from pydantic import Field as Describe
from typing_extensions import TypedDict

from streamproc.codecs import (
    ArrowCodec,
    ArrowDecisions,
    AvroCodec,
    AvroDecisions,
    JsonCodec,
    JsonDecisions,
    JsonSchemaCodec,
    ProtobufCodec,
    ProtobufDecisions,
    TensorCodec,
    TopicCodecs,
)
from streamproc.config.docstrings import attributes, summary
from streamproc.config.foreign_names import nearest
from streamproc.config.scalars import SCALARS, shown
from streamproc.connectors.files import CaptureSource, FileSink, FileSource
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import Duration, Size
from streamproc.executors import OnnxRuntime, OpenVino, PythonModel, Remote, Simulated
from streamproc.features import FEATURES
from streamproc.scheduling import SHED_POLICIES

CODECS: Mapping[str, type] = {
    "json": JsonCodec,
    "avro": AvroCodec,
    "protobuf": ProtobufCodec,
    "json_schema": JsonSchemaCodec,
    "arrow": ArrowCodec,
    "tensor": TensorCodec,
}
CHOICES: Mapping[frozenset[type], Mapping[str, type]] = {
    frozenset({KafkaSource, CaptureSource, FileSource}): {
        "kafka": KafkaSource,
        "capture": CaptureSource,
        "file": FileSource,
    },
    frozenset(CODECS.values()): CODECS,
    frozenset({*CODECS.values(), TopicCodecs}): {**CODECS, "by_topic": TopicCodecs},
    frozenset({JsonDecisions, ArrowDecisions, AvroDecisions, ProtobufDecisions}): {
        "json": JsonDecisions,
        "arrow": ArrowDecisions,
        "avro": AvroDecisions,
        "protobuf": ProtobufDecisions,
    },
    frozenset({KafkaSink, FileSink}): {"kafka": KafkaSink, "file": FileSink},
    frozenset({OnnxRuntime, OpenVino}): {"onnxruntime": OnnxRuntime, "openvino": OpenVino},
    frozenset({OnnxRuntime, OpenVino, PythonModel, Remote, Simulated}): {
        "onnxruntime": OnnxRuntime,
        "openvino": OpenVino,
        "python": PythonModel,
        "remote": Remote,
        "simulated": Simulated,
    },
    frozenset(SHED_POLICIES.values()): SHED_POLICIES,
    frozenset(FEATURES.values()): FEATURES,
}
"""Where the file has one key that names the kind, and Python the object itself."""


_TAG = "<member of a union> "


def tag_of(member: object) -> str:
    """What stands in an error's location for a member of a union; no key of the file."""
    return f"{_TAG}{getattr(member, '__name__', member)}"


def is_tag(part: str | int) -> bool:
    """True for a part of a location that is no key."""
    return isinstance(part, str) and part.startswith(_TAG)


def is_section(annotation: object) -> TypeGuard[type]:
    """True for a dataclass: a mapping in the file."""
    return isinstance(annotation, type) and is_dataclass(annotation)


def file_key(field: "Field[Any]") -> str:
    """The file's name of a field: ``from`` for ``from_``."""
    return field.name.rstrip("_")


def choice_of(annotation: object) -> Mapping[str, type] | None:
    """The kinds that a one-key mapping may name, or None where the file has no such mapping."""
    members = get_args(annotation) if is_union(annotation) else (annotation,)
    # Bare names, which Python users may write too, are read as the file's are.
    # A text beside them is something else, such as a field among features.
    kinds = frozenset(
        m for m in members if get_origin(m) is not Literal and m not in (types.NoneType, str)
    )
    return CHOICES.get(kinds)


@cache
def keys_of(cls: type) -> dict[str, "Field[Any]"]:
    """The fields of a dataclass by their names in the file."""
    return {file_key(field): field for field in fields(cls)}


def is_required(field: "Field[Any]") -> bool:
    """True where the dataclass has no default."""
    return field.default is MISSING and field.default_factory is MISSING


def default_of(field: "Field[Any]") -> object:
    """A field's default."""
    return field.default_factory() if callable(field.default_factory) else field.default


def plain_default(field: "Field[Any]") -> object:
    """A default as the file would write it; None also where it is a whole section."""
    return _plain(default_of(field))


def _plain(value: object) -> object:
    match value:
        case Duration() | Size():
            return str(value)
        case tuple():
            return [_name_of(item) or _plain(item) for item in value]
        case _:
            return None if is_dataclass(value) else value


def _name_of(value: object) -> str | None:
    """The bare name of what is one of a choice, with all its defaults."""
    kinds = choice_of_kind(type(value))
    return next((name for name, kind in kinds.items() if value == _made(kind)), None)


def choice_of_kind(kind: type) -> Mapping[str, type]:
    """The choice that a kind is one of; empty where it is of none."""
    return next((kinds for members, kinds in CHOICES.items() if kind in members), {})


def _made(kind: type) -> object:
    needed = any(is_required(field) for field in fields(kind))
    return None if needed else kind()


@cache
def file_type(annotation: Any) -> Any:  # noqa: ANN401 - types as values
    """The type that reads the file's form of a Python type.

    Args:
        annotation: the type of a dataclass's field.
    """
    if annotation in SCALARS:
        return Annotated[(object, *SCALARS[annotation].markers)]
    if choice_of(annotation) is not None:
        return _nullable(annotation) or _beside_text(annotation) or _choice(annotation)
    if is_section(annotation):
        return section_type(annotation)
    return _union(get_args(annotation)) if is_union(annotation) else _generic(annotation)


def _nullable(annotation: Any) -> Any:  # noqa: ANN401
    """``X | None`` of a choice X; None where it cannot be null."""
    members = get_args(annotation)
    if types.NoneType not in members:
        return None
    rest = tuple(member for member in members if member is not types.NoneType)
    return file_type(Union[rest]) | None  # noqa: UP007 - made at run time


def _beside_text(annotation: Any) -> Any:  # noqa: ANN401
    """``str | X`` of a choice X: told apart by being a mapping; None where it may be no text."""
    members = get_args(annotation)
    if str not in members:
        return None
    rest = file_type(Union[tuple(member for member in members if member is not str)])  # noqa: UP007
    both = (
        Annotated[file_type(str), Tag(tag_of(str))],
        Annotated[rest, Tag(tag_of(dict))],
    )
    return Annotated[
        Union[both],  # noqa: UP007 - made at run time
        Discriminator(lambda value: tag_of(str if isinstance(value, str) else dict)),
    ]


def _generic(annotation: Any) -> Any:  # noqa: ANN401
    made: Any = {Sequence: tuple, tuple: tuple, Mapping: dict}.get(get_origin(annotation))
    arguments = get_args(annotation)
    if made is tuple:
        return made[(file_type(arguments[0]), ...)]
    if made is dict:
        return made[str, file_type(arguments[1])]
    if get_origin(annotation) is Literal:
        return annotation
    msg = f"the file has no form for {annotation}"
    raise TypeError(msg)


@cache
def section_type(cls: type) -> Any:  # noqa: ANN401
    """The mapping that makes one dataclass."""
    entries: dict[str, Any] = {}
    for key, field in keys_of(cls).items():
        annotation: Any = field.type
        entry: Any = Annotated[(file_type(annotation), _description(cls, field))]
        kind: Any = Required if is_required(field) else NotRequired
        entries[key] = kind[entry]
    shape = _mapping(cls.__name__, summary(cls), entries)
    return Annotated[shape, AfterValidator(_maker(cls))]


def _mapping(name: str, words: str, entries: dict[str, Any], **schema: int) -> Any:  # noqa: ANN401
    """A mapping with these keys and no others; ``schema`` adds to its JSON Schema."""
    make: Any = TypedDict  # the type checker knows only those that stand in the source
    shape = make(name, entries)
    shape.__doc__ = words
    shape.__pydantic_config__ = ConfigDict(extra="forbid", json_schema_extra=dict(schema))
    return shape


def _description(cls: type, field: "Field[Any]") -> Any:  # noqa: ANN401
    default = plain_default(field)
    extra: dict[str, Any] = {} if is_required(field) or default is None else {"default": default}
    return Describe(description=attributes(cls).get(field.name), json_schema_extra=extra)


def _maker(cls: type) -> Callable[[dict[str, object]], object]:
    def make(values: dict[str, object]) -> object:
        return cls(**{keys_of(cls)[key].name: value for key, value in values.items()})

    return make


def _choice(annotation: object) -> Any:  # noqa: ANN401
    kinds = choice_of(annotation) or {}
    names = ", ".join(kinds)

    def unfold(value: object) -> object:
        """A bare name, and a name with nothing behind it, mean all defaults."""
        if isinstance(value, str):
            if value not in kinds:
                near = nearest(value, kinds) if type(value) is str else ""
                hint = f"; did you mean {near}?" if near else ""
                msg = f"must be a mapping with one of {names}, was {shown(value)}{hint}"
                raise ValueError(msg)
            value = {value: {}}
        if isinstance(value, dict):
            return {name: {} if inner is None else inner for name, inner in value.items()}
        return value

    def only(values: dict[str, object]) -> object:
        if len(values) != 1:
            was = " and ".join(values) or "empty"
            msg = f"must be a mapping with one of {names}, was {was}"
            raise ValueError(msg)
        return next(iter(values.values()))

    entries = {name: NotRequired[section_type(kind)] for name, kind in kinds.items()}
    name = "".join(kind.__name__ for kind in kinds.values()) + "Choice"
    shape = _mapping(name, f"One of {names}.", entries, minProperties=1, maxProperties=1)
    return Annotated[shape, BeforeValidator(unfold), AfterValidator(only)]


def _union(arguments: tuple[Any, ...]) -> Any:  # noqa: ANN401
    """``X | None``, or a choice of what the value looks like.

    A section is told from the rest by being a mapping or by its required keys, numbers and texts by what they are.
    """
    members = [member for member in arguments if member is not types.NoneType]
    if len(members) == 1:
        return file_type(members[0]) | None
    sections = [member for member in members if is_section(member)]
    words = [member for member in members if get_origin(member) is Literal]
    lists = [member for member in members if get_origin(member) in (Sequence, tuple)]
    plain = [member for member in members if member in (bool, int, float, str)]

    def tag(value: object) -> str:
        best = next((word for word in words if value in get_args(word)), members[0])
        if len(plain) > 1:  # what it is in the file: a number is no text, and 1 is not true
            best = next((kind for kind in plain if type(value) is kind), best)
        if isinstance(value, dict) and sections:
            best = max(sections, key=lambda s: _likeness(s, value))  # the first of equals
        elif isinstance(value, list) and lists:
            best = lists[0]
        return tag_of(best)

    tagged = tuple(Annotated[file_type(member), Tag(tag_of(member))] for member in members)
    return Annotated[Union[tagged], Discriminator(tag)]  # noqa: UP007 - made at run time


def _likeness(section: type, value: Mapping[str, object]) -> int:
    required = {key for key, f in keys_of(section).items() if is_required(f)}
    return len(required & value.keys()) * 2 + (required <= value.keys())


def is_union(annotation: object) -> bool:
    """Whether an annotation is one of several types, or of one and None."""
    return get_origin(annotation) in (Union, types.UnionType)

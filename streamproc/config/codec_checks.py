"""What no single key shows of the codecs that have schemas."""

from collections.abc import Iterator
from pathlib import Path as FilePath

from streamproc.codecs import (
    ArrowCodec,
    AvroCodec,
    AvroDecisions,
    Codec,
    Decisions,
    JsonCodec,
    JsonSchemaCodec,
    OneCodec,
    ProtobufCodec,
    ProtobufDecisions,
    TensorCodec,
    TopicCodecs,
)
from streamproc.config.secrets import Secret
from streamproc.config.tree import Finding, Node, Path
from streamproc.connectors.registry import registry_problems
from streamproc.core import Problem

CODEC_FILES: tuple[Path, ...] = (
    ("codec", "avro", "schema"),
    ("codec", "protobuf", "descriptor"),
    ("codec", "protobuf", "proto"),
    ("telemetry", "drift", "reference"),
)
"""Settings that are files; relative ones start from the configuration's folder."""
_NAMES = {
    JsonCodec: "json",
    AvroCodec: "avro",
    ProtobufCodec: "protobuf",
    JsonSchemaCodec: "json_schema",
    ArrowCodec: "arrow",
    TensorCodec: "tensor",
    TopicCodecs: "by_topic",
}


def codec_name(codec: Codec) -> str:
    """What the file calls it."""
    return _NAMES[type(codec)]


def codecs_at(codec: Codec) -> Iterator[tuple[Path, OneCodec]]:
    """The codec and its place in the file; where each topic has its own, all of them."""
    if not isinstance(codec, TopicCodecs):
        yield ("codec", codec_name(codec)), codec
        return
    for topic, one in codec.codecs.items():
        yield ("codec", "by_topic", "codecs", topic, codec_name(one)), one


def decisions_name(decisions: AvroDecisions | ProtobufDecisions) -> str:
    """What the file calls it."""
    return "avro" if isinstance(decisions, AvroDecisions) else "protobuf"


def resolve_codec_files(root: Node, folder: FilePath, problems: list[Problem]) -> None:
    """Make the files of schemas start from the configuration's folder, and see that they are there.

    Args:
        root: the tree, changed.
        folder: the configuration's.
        problems: takes what is missing.
    """
    begin: Path = ("codec", "by_topic", "codecs")
    below = [(*begin, topic) for topic in root.mapping(begin)]
    nested = [(*at, *path[1:]) for at in below for path in CODEC_FILES if path[0] == "codec"]
    for path in (*CODEC_FILES, *nested):
        node = root.at(path)
        if node is None or not isinstance(node.value, str):
            continue
        file = folder / node.value
        try:
            found = file.is_file()
        except OSError:  # such as a name that is too long
            found = False
        node.value = Secret(file) if isinstance(node.value, Secret) else str(file)
        if not found:
            message = f"there is no file {node.value!r}; relative paths start from the configuration's folder"
            problems.append(root.problem(path, message))


def _registry(codec: Codec) -> Iterator[Finding]:
    for path, one in codecs_at(codec):
        if isinstance(one, AvroCodec | ProtobufCodec | JsonSchemaCodec) and one.registry:
            for name, message in registry_problems(one.registry):
                yield (*path, "registry", *name.split(".")), message


def _decisions(decisions: Decisions) -> Iterator[Finding]:
    if isinstance(decisions, AvroDecisions | ProtobufDecisions):
        for name, message in registry_problems(decisions.registry):
            yield ("decisions", decisions_name(decisions), "registry", *name.split(".")), message


def _schemas(codec: Codec) -> Iterator[Finding]:
    for path, one in codecs_at(codec):
        match one:
            case AvroCodec(registry=None, schema=None):
                text = "is missing: name a file (.avsc), or a registry: {url: ...} where the schemas are"
                yield (*path, "schema"), text
            case JsonSchemaCodec(registry=None, validate=True):
                yield (*path, "registry"), "is missing: validate needs the schemas"
            case ProtobufCodec():
                yield from _protobuf(one, path)
            case _:
                pass


def _protobuf(codec: ProtobufCodec, path: Path) -> Iterator[Finding]:
    files = [n for n in ("descriptor", "proto") if getattr(codec, n) is not None]
    if codec.registry is None and not files:
        text = "is missing: name a descriptor or proto file, or a registry: {url: ...}"
        yield (*path, "descriptor"), text
    if len(files) + (codec.registry is not None) > 1:
        text = "is one too many: write a registry, a descriptor or a proto file"
        yield (*path, files[-1]), text
    if files and codec.message is None:
        text = "is missing: which message of the file is it, such as shop.Order?"
        yield (*path, "message"), text


CODEC_CHECKS = (
    (_registry, ("codec",)),
    (_schemas, ("codec",)),
    (_decisions, ("decisions",)),
)
"""Each check and the parts that it takes."""

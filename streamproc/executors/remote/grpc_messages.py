"""The protocol's messages over gRPC, of one table.

From ``open_inference_grpc.proto`` of the Open Inference Protocol. Built when they are first asked for, so that they
work with whatever protobuf runtime is installed; ``tritonclient``, which brings generated ones, holds ml_dtypes back.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE: Final = "inference"
SERVICE: Final = "/inference.GRPCInferenceService"
_FILE: Final = "streamproc/open_inference.proto"

_PARAMETERS: Final = (4, "parameters", "map InferParameter")
_MESSAGES: Final[Mapping[str, Sequence[tuple[int, str, str]]]] = {
    "TensorMetadata": (
        (1, "name", "string"),
        (2, "datatype", "string"),
        (3, "shape", "repeated int64"),
    ),
    "ModelMetadataRequest": ((1, "name", "string"), (2, "version", "string")),
    "ModelMetadataResponse": (
        (1, "name", "string"),
        (2, "versions", "repeated string"),
        (3, "platform", "string"),
        (4, "inputs", "repeated TensorMetadata"),
        (5, "outputs", "repeated TensorMetadata"),
    ),
    "InferParameter": (
        (1, "bool_param", "choice bool"),
        (2, "int64_param", "choice int64"),
        (3, "string_param", "choice string"),
    ),
    "InferTensorContents": (
        (1, "bool_contents", "repeated bool"),
        (2, "int_contents", "repeated int32"),
        (3, "int64_contents", "repeated int64"),
        (4, "uint_contents", "repeated uint32"),
        (5, "uint64_contents", "repeated uint64"),
        (6, "fp32_contents", "repeated float"),
        (7, "fp64_contents", "repeated double"),
        (8, "bytes_contents", "repeated bytes"),
    ),
    "InferTensor": (
        (1, "name", "string"),
        (2, "datatype", "string"),
        (3, "shape", "repeated int64"),
        _PARAMETERS,
        (5, "contents", "InferTensorContents"),
    ),
    "InferRequestedOutput": ((1, "name", "string"),),
    "ModelInferRequest": (
        (1, "model_name", "string"),
        (2, "model_version", "string"),
        (3, "id", "string"),
        _PARAMETERS,
        (5, "inputs", "repeated InferTensor"),
        (6, "outputs", "repeated InferRequestedOutput"),
        (7, "raw_input_contents", "repeated bytes"),
    ),
    "ModelInferResponse": (
        (1, "model_name", "string"),
        (2, "model_version", "string"),
        (3, "id", "string"),
        _PARAMETERS,
        (5, "outputs", "repeated InferTensor"),
        (6, "raw_output_contents", "repeated bytes"),
    ),
}
"""Names of nested messages are this file's own: on the wire only the numbers stand."""

_D = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "bool": _D.TYPE_BOOL,
    "bytes": _D.TYPE_BYTES,
    "double": _D.TYPE_DOUBLE,
    "float": _D.TYPE_FLOAT,
    "int32": _D.TYPE_INT32,
    "int64": _D.TYPE_INT64,
    "string": _D.TYPE_STRING,
    "uint32": _D.TYPE_UINT32,
    "uint64": _D.TYPE_UINT64,
}


def message_class(name: str) -> Any:  # noqa: ANN401 - made at run time
    """The class of a message, such as ``ModelInferRequest``."""
    return _classes()[f"{PACKAGE}.{name}"]


@cache
def _classes() -> Mapping[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name=_FILE, package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            _add(message, number, field, kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClassesForFiles([_FILE], pool)


def _add(message: Any, number: int, name: str, text: str) -> None:  # noqa: ANN401 - a descriptor
    label, _, kind = text.rpartition(" ")
    many = label in ("repeated", "map")
    field = message.field.add(
        name=name, number=number, label=_D.LABEL_REPEATED if many else _D.LABEL_OPTIONAL
    )
    if label == "choice":
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
        field.oneof_index = 0
    if label == "map":
        kind = _map_entry(message, name, kind)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = _D.TYPE_MESSAGE
        field.type_name = f".{PACKAGE}.{kind}"


def _map_entry(message: Any, name: str, kind: str) -> str:  # noqa: ANN401 - a descriptor
    """A map of texts, as protoc writes it: repeated entries of a nested message."""
    entry = message.nested_type.add(name=f"{name.title()}Entry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, label=_D.LABEL_OPTIONAL, type=_D.TYPE_STRING)
    entry.field.add(
        name="value",
        number=2,
        label=_D.LABEL_OPTIONAL,
        type=_D.TYPE_MESSAGE,
        type_name=f".{PACKAGE}.{kind}",
    )
    return f"{message.name}.{entry.name}"

"""The protocol over gRPC: raw tensors, and deadlines that the server sees."""

from collections.abc import Mapping
from typing import Any, NoReturn

from streamproc.core import Columns, ConfigError
from streamproc.executors.remote.errors import (
    BusyError,
    FailedError,
    RefusedError,
    SlowError,
    WrongError,
)
from streamproc.executors.remote.grpc_messages import SERVICE, message_class
from streamproc.executors.remote.options import Address
from streamproc.executors.remote.tensors import array_of, datatype_of, raw_of, spec_of, unlisted
from streamproc.executors.remote.transport import DEADLINE_HEADER, Described

_MESSAGE_BYTES_MAX = 256 << 20
_RECONNECT_MAX_MS = 1_000
"""gRPC's own pause between connects grows to two minutes: then a server that is back would go unseen."""
_CONTENTS = {
    "BOOL": "bool_contents",
    "INT64": "int64_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
}


class GrpcTransport:
    """Asks over gRPC.

    Args:
        address: where the model is.
        headers: sent as metadata of each call.

    Raises:
        ConfigError: grpcio is not installed.
    """

    def __init__(self, address: Address, headers: Mapping[str, str]) -> None:
        try:
            import grpc  # noqa: PLC0415 - an extra
        except ImportError as error:
            msg = "grpc needs grpcio: pip install 'streamproc[grpc]', or use http://"
            raise ConfigError(msg) from error
        self.place = f"{address.scheme}://{address.place}"
        self._address = address
        self._grpc = grpc
        self._metadata = tuple((name.lower(), value) for name, value in headers.items())
        options = (
            ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", _MESSAGE_BYTES_MAX),
            ("grpc.max_reconnect_backoff_ms", _RECONNECT_MAX_MS),
        )
        if address.scheme == "grpcs":
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.secure_channel(address.place, credentials, options)
        else:
            self._channel = grpc.insecure_channel(address.place, options)
        self._metadata_call = self._call("ModelMetadata", "ModelMetadataResponse")
        self._infer_call = self._call("ModelInfer", "ModelInferResponse")

    def describe(self, timeout_s: float) -> Described:
        """See ``Transport``."""
        request = message_class("ModelMetadataRequest")(
            name=self._address.model, version=self._address.version
        )
        found = self._ask(self._metadata_call, request, timeout_s, self._metadata)
        inputs, outputs = (
            tuple(spec_of(t.name, t.datatype, t.shape) for t in side)
            for side in (found.inputs, found.outputs)
        )
        return Described(found.platform, tuple(found.versions), inputs, outputs)

    def infer(self, inputs: Columns, *, timeout_s: float, deadline_ns: int | None) -> Columns:
        """See ``Transport``."""
        request = message_class("ModelInferRequest")(
            model_name=self._address.model, model_version=self._address.version
        )
        request.parameters["timeout"].int64_param = max(1, int(timeout_s * 1e6))
        for name, array in inputs.items():
            request.inputs.add(name=name, datatype=datatype_of(array), shape=array.shape)
            request.raw_input_contents.append(raw_of(array))
        metadata = self._metadata
        if deadline_ns is not None:
            metadata = (*metadata, (DEADLINE_HEADER, str(deadline_ns)))
        answer = self._ask(self._infer_call, request, timeout_s, metadata)
        raws = answer.raw_output_contents
        if raws and len(raws) != len(answer.outputs):
            msg = f"it answered {len(answer.outputs)} tensors and the bytes of {len(raws)}"
            raise WrongError(msg)
        return {
            tensor.name: array_of(raws[place], tensor.datatype, tensor.shape)
            if raws
            else _listed(tensor)
            for place, tensor in enumerate(answer.outputs)
        }

    def close(self) -> None:
        """See ``Transport``."""
        self._channel.close()

    def _call(self, method: str, answer: str) -> Any:  # noqa: ANN401 - gRPC has no types
        return self._channel.unary_unary(
            f"{SERVICE}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_class(answer).FromString,
        )

    def _ask(self, call: Any, request: Any, timeout_s: float, metadata: Any) -> Any:  # noqa: ANN401
        try:
            return call(request, timeout=timeout_s, metadata=metadata)
        except self._grpc.RpcError as error:
            self._raise(error)
        except ValueError as error:  # the channel was closed meanwhile
            raise BusyError(str(error)) from error

    def _raise(self, error: Any) -> NoReturn:  # noqa: ANN401
        code, codes = error.code(), self._grpc.StatusCode
        msg = f"it answered {code.name}: {str(error.details() or '')[:200]}"
        if code == codes.DEADLINE_EXCEEDED:
            raise SlowError(msg) from error
        if code in (codes.UNAVAILABLE, codes.RESOURCE_EXHAUSTED, codes.CANCELLED, codes.ABORTED):
            raise BusyError(msg) from error
        if code in (
            codes.NOT_FOUND,
            codes.UNIMPLEMENTED,
            codes.UNAUTHENTICATED,
            codes.PERMISSION_DENIED,
        ):
            raise WrongError(msg) from error
        if code in (codes.INVALID_ARGUMENT, codes.OUT_OF_RANGE, codes.FAILED_PRECONDITION):
            raise RefusedError(msg) from error
        raise FailedError(msg) from error


def _listed(tensor: Any) -> Any:  # noqa: ANN401 - an array
    field = _CONTENTS.get(tensor.datatype)
    data = [] if field is None else list(getattr(tensor.contents, field))
    if field == "bytes_contents":
        data = [text.decode() for text in data]
    return unlisted(data, tensor.datatype, tensor.shape)

"""A server of the Open Inference Protocol in this process, whose faults are set: slow, busy, wrong.

It runs a real ONNX model over real sockets. What it cannot show, another program's reading of the protocol, is shown
by MLServer in ``tests/integration/test_remote.py``.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import grpc
import numpy as np
import onnxruntime

from streamproc.executors.remote.grpc_messages import message_class
from streamproc.executors.remote.tensors import array_of, datatype_of, raw_of

if TYPE_CHECKING:
    from streamproc.core import Columns

MODEL = "tick"
_LENGTH = "Inference-Header-Content-Length"


@dataclass
class Behaviour:
    """What the server does, to be changed at any time.

    Attributes:
        status: the HTTP status that an inference is answered with; over gRPC ``code``.
        code: the gRPC status code.
        hold: while it is clear, inferences wait; then they are answered.
        statuses_left: how many inferences are answered with the status; None for all.
        changes: makes other outputs of the model's.
        seen: the headers or metadata of the inferences.
    """

    status: int = 200
    code: grpc.StatusCode = grpc.StatusCode.OK
    hold: threading.Event = field(default_factory=threading.Event)
    statuses_left: int | None = None
    changes: Any = None
    seen: list[dict[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hold.set()

    def fails(self) -> bool:
        """Whether the next inference is to be answered with the status."""
        if self.statuses_left is None:
            return True
        self.statuses_left -= 1
        return self.statuses_left >= 0


class OipServer:
    """Serves one model over HTTP and gRPC on loopback; in a ``with`` block.

    Args:
        path: the ONNX file.
        binary: whether it offers raw tensors behind the JSON.
    """

    def __init__(self, path: str, *, binary: bool = False) -> None:
        self.behaviour = Behaviour()
        self.session = onnxruntime.InferenceSession(path)
        self.binary = binary
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._threads = ThreadPoolExecutor(8)
        self._grpc = grpc.server(self._threads)
        self._grpc.add_generic_rpc_handlers((_service(self),))
        self._grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        self._grpc.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.behaviour.hold.set()
        self._http.shutdown()
        self._http.server_close()
        self._grpc.stop(None).wait(5)
        self._threads.shutdown()

    def url(self, scheme: str, model: str = MODEL) -> str:
        """Where its model is."""
        port = self._grpc_port if scheme == "grpc" else self._http.server_address[1]
        return f"{scheme}://127.0.0.1:{port}/v2/models/{model}"

    def described(self) -> dict[str, Any]:
        """What it says of the model."""
        return {
            "name": MODEL,
            "versions": ["1"],
            "platform": "onnx",
            "inputs": [_tensor(t) for t in self.session.get_inputs()],
            "outputs": [_tensor(t) for t in self.session.get_outputs()],
        }

    def answers(self, inputs: Columns, seen: dict[str, str]) -> Columns:
        """The model's, or what the behaviour makes of them."""
        self.behaviour.seen.append(seen)
        self.behaviour.hold.wait(30)
        names = [output.name for output in self.session.get_outputs()]
        outputs = dict(zip(names, self.session.run(names, inputs), strict=True))
        return outputs if self.behaviour.changes is None else self.behaviour.changes(outputs)


def _tensor(tensor: Any) -> dict[str, Any]:
    shape = [size if isinstance(size, int) else -1 for size in tensor.shape]
    return {"name": tensor.name, "datatype": "FP32", "shape": shape}


def _request(body: bytes, end: int) -> tuple[dict[str, Any], Columns]:
    """What is asked, and the inputs."""
    content, rest = json.loads(body[:end]), body[end:]
    inputs: Columns = {}
    for tensor in content["inputs"]:
        size = tensor.get("parameters", {}).get("binary_data_size")
        if size is None:
            data = np.array(tensor["data"], np.float32)
            inputs[tensor["name"]] = data.reshape(tensor["shape"])
        else:
            inputs[tensor["name"]] = array_of(rest[:size], "FP32", tensor["shape"])
            rest = rest[size:]
    return content, inputs


def _tensors(outputs: Columns, raws: list[bytes]) -> list[dict[str, Any]]:
    tensors = []
    for place, (name, array) in enumerate(outputs.items()):
        said: dict[str, Any] = {"name": name, "shape": list(array.shape)}
        said["datatype"] = datatype_of(array)
        if raws:
            said["parameters"] = {"binary_data_size": len(raws[place])}
        else:
            said["data"] = array.ravel().tolist()
        tensors.append(said)
    return tensors


def _handler(server: OipServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing is written."""

        def do_GET(self) -> None:
            if self.path == "/v2":
                self._say({"extensions": ["binary_tensor_data"] if server.binary else []})
            elif self.path == f"/v2/models/{MODEL}":
                self._say(server.described())
            else:
                self._say({"error": "there is no such model"}, 404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if server.behaviour.status != 200 and server.behaviour.fails():
                self._say({"error": "as it was told"}, server.behaviour.status)
                return
            content, inputs = _request(body, int(self.headers.get(_LENGTH, len(body))))
            seen = {name.lower(): value for name, value in self.headers.items()}
            seen["timeout"] = str(content["parameters"]["timeout"])
            try:
                outputs = server.answers(inputs, seen)
            except Exception as error:  # noqa: BLE001 - onnxruntime's have no common ancestor
                self._say({"error": str(error)}, 400)
                return
            raws = [raw_of(array) for array in outputs.values()] if server.binary else []
            self._say({"outputs": _tensors(outputs, raws)}, raw=b"".join(raws))

        def _say(self, content: Any, status: int = 200, raw: bytes = b"") -> None:
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text) + len(raw)))
            if raw:
                self.send_header(_LENGTH, str(len(text)))
            self.end_headers()
            self.wfile.write(text + raw)

    return Handler


def _service(server: OipServer) -> grpc.GenericRpcHandler:
    def describe(request: Any, context: grpc.ServicerContext) -> Any:
        if request.name != MODEL:
            context.abort(grpc.StatusCode.NOT_FOUND, "there is no such model")
        return message_class("ModelMetadataResponse")(**server.described())

    def infer(request: Any, context: grpc.ServicerContext) -> Any:
        if server.behaviour.code != grpc.StatusCode.OK and server.behaviour.fails():
            context.abort(server.behaviour.code, "as it was told")
        inputs = {
            tensor.name: array_of(raw, tensor.datatype, tensor.shape)
            for tensor, raw in zip(request.inputs, request.raw_input_contents, strict=True)
        }
        seen = dict(context.invocation_metadata())
        seen["time_remaining"] = str(context.time_remaining())
        seen["timeout"] = str(request.parameters["timeout"].int64_param)
        try:
            outputs = server.answers(inputs, seen)
        except Exception as error:  # noqa: BLE001 - onnxruntime's have no common ancestor
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        answer = message_class("ModelInferResponse")(model_name=MODEL)
        for name, array in outputs.items():
            answer.outputs.add(name=name, datatype=datatype_of(array), shape=array.shape)
            answer.raw_output_contents.append(raw_of(array))
        return answer

    methods = {
        "ModelMetadata": (describe, "ModelMetadataRequest"),
        "ModelInfer": (infer, "ModelInferRequest"),
    }
    return grpc.method_handlers_generic_handler(
        "inference.GRPCInferenceService",
        {
            name: grpc.unary_unary_rpc_method_handler(
                call,
                request_deserializer=message_class(request).FromString,
                response_serializer=lambda message: message.SerializeToString(),
            )
            for name, (call, request) in methods.items()
        },
    )

"""The protocol over HTTP: JSON, or raw tensors behind it where the server has that extension."""

import time
from collections.abc import Mapping
from typing import Any

import orjson
import urllib3

from streamproc.core import Columns
from streamproc.executors.remote.errors import (
    BusyError,
    FailedError,
    RefusedError,
    RemoteError,
    SlowError,
    WrongError,
)
from streamproc.executors.remote.options import Address
from streamproc.executors.remote.tensors import (
    array_of,
    datatype_of,
    listed,
    raw_of,
    spec_of,
    unlisted,
)
from streamproc.executors.remote.transport import DEADLINE_HEADER, Described

_ANSWER_BYTES_MAX = 256 << 20
_CHUNK_BYTES = 256 << 10
_HEADER_LENGTH = "inference-header-content-length"
"""Triton's extension "binary tensor data": so many bytes of the body are JSON, raw tensors follow."""
_BINARY = "binary_tensor_data"
_BUSY = frozenset({408, 425, 429, 502, 503, 504})
_UNKNOWN = frozenset({401, 403, 404, 405})
_SERVER = 500


class HttpTransport:
    """Asks over HTTP/1.1, with connections that are kept.

    Args:
        address: where the model is.
        headers: sent with each request.
        connections: how many are kept.
    """

    def __init__(self, address: Address, headers: Mapping[str, str], connections: int) -> None:
        self.place = f"{address.scheme}://{address.place}"
        version = f"/versions/{address.version}" if address.version else ""
        self._model = f"/v2/models/{address.model}{version}"
        self._headers = dict(headers)
        self._pool = urllib3.PoolManager(
            num_pools=1, maxsize=connections, block=False, retries=False, headers=self._headers
        )
        self._binary = False

    def describe(self, timeout_s: float) -> Described:
        """See ``Transport``."""
        server = _json(self._ask("GET", "/v2", timeout_s)[0])
        self._binary = _BINARY in (server.get("extensions") or ())
        found = _json(self._ask("GET", self._model, timeout_s)[0])
        try:
            inputs, outputs = (
                tuple(spec_of(t["name"], t["datatype"], t["shape"]) for t in found.get(side) or ())
                for side in ("inputs", "outputs")
            )
        except (KeyError, TypeError) as error:
            msg = f"it does not describe the model as the protocol says: no {error}"
            raise WrongError(msg) from error
        versions = tuple(map(str, found.get("versions") or ()))
        return Described(str(found.get("platform", "")), versions, inputs, outputs)

    def infer(self, inputs: Columns, *, timeout_s: float, deadline_ns: int | None) -> Columns:
        """See ``Transport``."""
        tensors: list[dict[str, Any]] = []
        raws: list[bytes] = []
        for name, array in inputs.items():
            tensor: dict[str, Any] = {
                "name": name,
                "shape": list(array.shape),
                "datatype": datatype_of(array),
            }
            if self._binary:
                raws.append(raw_of(array))
                tensor["parameters"] = {"binary_data_size": len(raws[-1])}
            else:
                tensor["data"] = listed(array)
            tensors.append(tensor)
        # Triton takes "timeout" as the time, in microseconds, that a request may wait; others pass over it.
        parameters: dict[str, Any] = {"timeout": max(1, int(timeout_s * 1e6))}
        if self._binary:
            parameters["binary_data_output"] = True
        content = {"parameters": parameters, "inputs": tensors}
        body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
        headers = {**self._headers, "content-type": "application/json"}
        if self._binary:
            headers[_HEADER_LENGTH] = str(len(body))
            headers["content-type"] = "application/octet-stream"
            body = b"".join([body, *raws])
        if deadline_ns is not None:
            headers[DEADLINE_HEADER] = str(deadline_ns)
        answer, said = self._ask("POST", f"{self._model}/infer", timeout_s, body, headers)
        length = said.get(_HEADER_LENGTH)
        end = len(answer) if length is None else int(length)
        return _outputs_of(_json(answer[:end]), answer[end:])

    def close(self) -> None:
        """See ``Transport``."""
        self._pool.clear()

    def _ask(
        self,
        method: str,
        path: str,
        timeout_s: float,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[bytes, Mapping[str, str]]:
        end_s = time.monotonic() + timeout_s  # noqa: TID251 - a socket's own time, not the stream's
        try:
            response = self._pool.request(
                method,
                f"{self.place}{path}",
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(total=timeout_s),
                preload_content=False,
            )
            answer = _read(response, end_s)
        except (urllib3.exceptions.TimeoutError, TimeoutError) as error:
            msg = f"no answer within {timeout_s * 1e3:.0f} ms"
            raise SlowError(msg) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise BusyError(_words(error)) from error
        if response.status // 100 != 2:  # noqa: PLR2004
            raise _error(response.status, answer)
        return answer, response.headers


def _read(response: urllib3.BaseHTTPResponse, end_s: float) -> bytes:
    """The whole body. A server that trickles is met as one that says nothing."""
    parts: list[bytes] = []
    size = 0
    for part in response.stream(_CHUNK_BYTES, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > _ANSWER_BYTES_MAX:
            response.close()
            msg = f"its answer has more than {_ANSWER_BYTES_MAX} bytes"
            raise WrongError(msg)
        if time.monotonic() > end_s:  # noqa: TID251
            response.close()
            raise TimeoutError
    response.release_conn()
    return b"".join(parts)


def _error(status: int, answer: bytes) -> RemoteError:
    text = answer[:200].decode(errors="replace").replace("\n", " ")
    msg = f"it answered {status}: {text}"
    if status in _BUSY:
        return BusyError(msg)
    if status in _UNKNOWN:
        return WrongError(msg)
    if status >= _SERVER:
        return FailedError(
            msg
        )  # also where the model itself raised: the rows are looked at one by one
    return RefusedError(msg)


def _json(answer: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError as error:
        msg = f"it answered what is no JSON: {answer[:60]!r}"
        raise WrongError(msg) from error
    if not isinstance(found, dict):
        msg = f"it answered a {type(found).__name__} where the protocol has an object"
        raise WrongError(msg)
    return found


def _outputs_of(answer: dict[str, Any], raw: bytes) -> Columns:
    outputs: Columns = {}
    place = 0
    try:
        for tensor in answer["outputs"]:
            name, datatype, shape = tensor["name"], tensor["datatype"], tensor["shape"]
            size = (tensor.get("parameters") or {}).get("binary_data_size")
            if size is None:
                outputs[name] = unlisted(tensor["data"], datatype, shape)
            else:
                outputs[name] = array_of(raw[place : place + size], datatype, shape)
                place += size
    except (KeyError, TypeError) as error:
        msg = f"its answer is not as the protocol says: {error}"
        raise WrongError(msg) from error
    return outputs


def _words(error: BaseException) -> str:
    """What happened, without urllib3's objects in it."""
    cause = error.__cause__ or error.__context__
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(error).rsplit(": ", 1)[-1] or type(error).__name__

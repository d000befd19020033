"""The messages of the Open Inference Protocol, version 2, as a server reads and writes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import orjson
from starlette.responses import Response

from streamproc.core import Array, Columns, TensorSpec
from streamproc.executors import ProtocolError, array_of, datatype_of, listed, raw_of, unlisted
from streamproc.web.guard import HEADERS

DEADLINE_HEADER: Final = "x-deadline-ns"
BINARY: Final = "binary_tensor_data"
_LENGTH: Final = "inference-header-content-length"
_NS_PER_US: Final = 1_000
TIMEOUT_MAX_US: Final = 86_400_000_000
"""A day: times beyond 64 bits of ns must not get in."""
_DIGITS_MAX: Final = 19
_STATUS: Final = {"on_time": 200, "degraded": 200, "late": 504, "shed": 503, "failed": 500}


class BadRequestError(Exception):
    """The request is at fault; the text says how."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request.

    Attributes:
        kind: ``on_time``, ``degraded``, ``late``, ``shed`` or ``failed``.
        outputs: the model's outputs by name, each [rows, ...].
        variant: the variant that answered.
        reason: why it was not answered.
        detail: that in words.
    """

    kind: str
    outputs: Columns = field(default_factory=dict)
    variant: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request.

    Attributes:
        content: its JSON.
        raw: the tensors behind it.
        times: when the answer must be there (ns since 1970), and how long it may take (ns).
    """

    content: Mapping[str, Any]
    raw: bytes
    times: tuple[int | None, int | None]

    def inputs(self, takes: Sequence[TensorSpec], rows_max: int) -> Columns:
        """The tensors by name, each [rows, ...].

        Args:
            takes: what the model takes; empty where it does not say.
            rows_max: of one request.

        Raises:
            BadRequestError: they are no tensors, or not what the model takes.
        """
        found: Columns = {}
        place = 0
        for number, tensor in enumerate(self.content["inputs"]):
            name, datatype, shape = _outlines(tensor, f"inputs[{number}]")
            if name in found:
                msg = f"the input {name!r} is there twice"
                raise BadRequestError(msg)
            what = f"the input {name!r}"
            size = _parameters(tensor, what).get("binary_data_size")
            end = place if size is None else place + _size(size, f"binary_data_size of {what}")
            try:
                if size is not None:
                    found[name] = array_of(self.raw[place:end], datatype, shape)
                else:
                    found[name] = unlisted(_data(tensor), datatype, shape)
                    _require_numbers(found[name])
            except (BadRequestError, ProtocolError) as error:
                msg = f"{what} is not a tensor as the protocol says: {error}"
                raise BadRequestError(msg) from None
            place = end
        if place < len(self.raw):
            msg = f"the body has {len(self.raw) - place} bytes behind its tensors: {_LENGTH} or binary_data_size is wrong"
            raise BadRequestError(msg)
        for spec in takes:
            _check(spec, found)
        unknown = sorted(found.keys() - {spec.name for spec in takes}) if takes else []
        if unknown:
            wanted = ", ".join(_words(spec) for spec in takes)
            msg = f"the model takes {wanted}, and no {', '.join(unknown)}"
            raise BadRequestError(msg)
        rows = sorted({len(array) if array.ndim else 0 for array in found.values()})
        if len(rows) != 1 or not 0 < rows[0] <= rows_max:
            wanted = ", ".join(_words(spec) for spec in takes) or "tensors"
            given = " and ".join(map(str, rows)) or "none"
            msg = f"the model takes {wanted}, all with the same number of rows, from 1 to {rows_max}: was {given}"
            raise BadRequestError(msg)
        return found

    def wanted(self, gives: Sequence[TensorSpec]) -> Mapping[str, bool] | None:
        """The outputs that are asked for, each with whether as raw bytes; None where all are.

        Args:
            gives: what the model gives; empty where it does not say.

        Raises:
            BadRequestError: the model has no such output.
        """
        outputs = self.content.get("outputs")
        if not outputs:
            return None
        if not isinstance(outputs, list):
            msg = '"outputs" must be a list of objects with a name'
            raise BadRequestError(msg)
        known = {spec.name for spec in gives}
        wanted: dict[str, bool] = {}
        for number, output in enumerate(outputs):
            name = output.get("name") if isinstance(output, dict) else None
            if not isinstance(name, str):
                msg = f"outputs[{number}] must be an object with a name"
                raise BadRequestError(msg)
            if known and name not in known:
                msg = f"the model has no output {name!r}, only {', '.join(sorted(known))}"
                raise BadRequestError(msg)
            parameters = _parameters(output, f"the output {name!r}")
            wanted[name] = bool(parameters.get("binary_data", self.binary))
        return wanted

    @property
    def binary(self) -> bool:
        """Whether outputs are wanted as raw bytes, where they do not say it themselves."""
        return bool(_parameters(self.content, "the request").get("binary_data_output"))


def parse(body: bytes, headers: Mapping[str, str]) -> Asked:
    """Read a request: its JSON, and the raw tensors behind it.

    Raises:
        BadRequestError: it is none.
    """
    end = _whole(headers, _LENGTH, f"a number of at most {len(body)}")
    if end is None:
        end = len(body)
    elif end > len(body):
        msg = f"{_LENGTH} must be a number of at most {len(body)}, was {end}"
        raise BadRequestError(msg)
    try:
        content = orjson.loads(body[:end])
    except orjson.JSONDecodeError as error:
        msg = f"the body is no JSON: {error}"
        raise BadRequestError(msg) from None
    if not isinstance(content, dict) or not isinstance(content.get("inputs"), list):
        msg = 'the body must be an object with "inputs", a list of tensors'
        raise BadRequestError(msg)
    if not isinstance(content.get("id", ""), str):
        msg = f"the id must be a text, was {content['id']!r}"
        raise BadRequestError(msg)
    return Asked(content, body[end:], _times(content, headers))


def _outlines(tensor: object, place: str) -> tuple[str, str, list[int]]:
    """The name, the type and the shape of a tensor.

    Raises:
        BadRequestError: it does not say them.
    """
    if not isinstance(tensor, dict):
        msg = f"{place} must be an object with name, shape, datatype and data"
        raise BadRequestError(msg)
    for key, kind in (("name", str), ("datatype", str), ("shape", list)):
        if not isinstance(tensor.get(key), kind):
            words = f"was {tensor[key]!r}" if key in tensor else f"there is no {key!r}"
            msg = f"{place} is not a tensor as the protocol says (name, shape, datatype, data): {words}"
            raise BadRequestError(msg)
    shape = [_size(size, f"the shape of {tensor['name']!r}") for size in tensor["shape"]]
    return tensor["name"], tensor["datatype"], shape


def _parameters(of: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    found = of.get("parameters")
    if found is not None and not isinstance(found, dict):
        msg = f"the parameters of {what} must be an object, was {found!r}"
        raise BadRequestError(msg)
    return found or {}


def _size(size: object, what: str) -> int:
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        msg = f"{what} must be whole and not negative, was {size!r}"
        raise BadRequestError(msg)
    return size


def _data(tensor: Mapping[str, Any]) -> object:
    if "data" not in tensor:
        msg = "there is no 'data'"
        raise BadRequestError(msg)
    return tensor["data"]


def _require_numbers(array: Array) -> None:
    """JSON knows neither NaN nor infinity: they come of a null, or of a number that is too large for the type."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        msg = f"its data hold a null, or a number that {datatype_of(array)} cannot hold"
        raise BadRequestError(msg)


def _whole(headers: Mapping[str, str], name: str, words: str) -> int | None:
    """The number in a header; None where it is not there."""
    text = headers.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX):
        msg = f"{name} must be {words}, was {text[:40]!r}"
        raise BadRequestError(msg)
    return int(text)


def _check(spec: TensorSpec, inputs: Columns) -> None:
    array = inputs.get(spec.name)
    if array is None:
        msg = f"the input {_words(spec)} is missing"
        raise BadRequestError(msg)
    sizes = zip(spec.shape, array.shape[1:], strict=False)
    if (
        array.dtype.name != spec.dtype
        or array.ndim != len(spec.shape) + 1
        or any(wanted not in (None, size) for wanted, size in sizes)
    ):
        found = f"{datatype_of(array)}{list(array.shape)}"
        msg = f"the input {_words(spec)} was given as {found}"
        raise BadRequestError(msg)


def _times(content: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int | None, int | None]:
    """When the answer must be there (ns since 1970), and how long it may take (ns)."""
    deadline_ns = _whole(headers, DEADLINE_HEADER, "ns since 1970")
    timeout = _parameters(content, "the request").get("timeout")
    if timeout is None:
        return deadline_ns, None
    if type(timeout) is not int or not 0 < timeout <= TIMEOUT_MAX_US:
        msg = f"the parameter timeout must be a number of us from 1 to {TIMEOUT_MAX_US}, was {timeout!r}"
        raise BadRequestError(msg)
    return deadline_ns, timeout * _NS_PER_US


def answer(name: str, asked: Asked, reply: Reply) -> Response:
    """The answer to a request of a model."""
    status = _STATUS[reply.kind]
    if status != 200:  # noqa: PLR2004
        words = reply.detail or "it was answered too late"
        reason = reply.reason or reply.kind
        return json_response(status, {"error": words, "reason": reason})
    known = tuple(TensorSpec(name, array.dtype.name, ()) for name, array in reply.outputs.items())
    try:  # once more: a model need not say before it runs what it gives
        wanted = asked.wanted(known) or dict.fromkeys(reply.outputs, asked.binary)
    except BadRequestError as error:
        return json_response(400, {"error": str(error)})
    raws: list[bytes] = []
    tensors = []
    for output, binary in wanted.items():
        array = reply.outputs[output]
        tensor: dict[str, Any] = {
            "name": output,
            "datatype": datatype_of(array),
            "shape": list(array.shape),
        }
        if binary:
            raws.append(raw_of(array))
            tensor["parameters"] = {"binary_data_size": len(raws[-1])}
        else:
            tensor["data"] = listed(array)
        tensors.append(tensor)
    content: dict[str, Any] = {
        "model_name": name,
        "parameters": {"outcome": reply.kind, "variant": reply.variant},
        "outputs": tensors,
    }
    if "id" in asked.content:
        content["id"] = asked.content["id"]
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    if not raws:
        return Response(body, headers=HEADERS, media_type="application/json")
    headers = {**HEADERS, _LENGTH: str(len(body))}
    return Response(b"".join([body, *raws]), headers=headers, media_type="application/octet-stream")


def description(
    name: str, takes: Sequence[TensorSpec], gives: Sequence[TensorSpec]
) -> dict[str, object]:
    """What a model is."""
    return {
        "name": name,
        "versions": [],
        "platform": "streamproc",
        "inputs": [_described(spec) for spec in takes],
        "outputs": [_described(spec) for spec in gives],
    }


def _described(spec: TensorSpec) -> dict[str, object]:
    return {
        "name": spec.name,
        "datatype": _datatype(spec),
        "shape": [-1, *(-1 if size is None else size for size in spec.shape)],
    }


def _words(spec: TensorSpec) -> str:
    sizes = ", ".join("?" if size is None else str(size) for size in ("rows", *spec.shape))
    return f"{spec.name} {_datatype(spec)}[{sizes}]"


def _datatype(spec: TensorSpec) -> str:
    empty: Array = np.empty(0, spec.dtype)
    return datatype_of(empty)


def json_response(
    status: int, content: Mapping[str, object], headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON object."""
    return Response(
        orjson.dumps(content),
        status_code=status,
        headers={**HEADERS, **(headers or {})},
        media_type="application/json",
    )

"""OpenVINO's own runtime, in this process."""

import threading
from typing import Any

import numpy as np

from streamproc.core import Columns, ConfigError, ModelInfo, Problem
from streamproc.executors.models import Rules, look_at
from streamproc.executors.runtimes import OpenVino
from streamproc.executors.wiring import Port, Wires, Wiring

_KEY = "model.executor.openvino"
_RULES = Rules()
_NO_WIRES = Wires()


class OpenVinoExecutor:
    """Runs an ONNX model with OpenVINO; implements ``core.Executor``.

    Args:
        path: the model's file.
        options: what the user set.
        variant: which variant of the model it is.
        key: where it stands in the configuration.
        rules: what its files must keep to.
        wires: what of its inputs does not come from the events.

    Raises:
        ConfigError: openvino is not installed, the file is no model, or the device does not work here.
    """

    inline = True

    def __init__(
        self,
        path: str,
        options: OpenVino,
        *,
        variant: str = "full",
        key: str = "model",
        rules: Rules = _RULES,
        wires: Wires = _NO_WIRES,
    ) -> None:
        try:
            import openvino  # noqa: PLC0415 - an extra
        except ImportError as error:
            text = "needs OpenVINO: pip install 'streamproc[openvino]'"
            raise ConfigError(Problem(text, _KEY)) from error
        files = look_at(path, rules, key)
        if files.libraries:
            text = "custom_ops are libraries of onnxruntime: OpenVINO does not take them"
            raise ConfigError(Problem(text, "model.custom_ops"))
        properties = {
            "INFERENCE_NUM_THREADS": options.threads,
            "NUM_STREAMS": options.concurrency,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": options.precision,
            **options.device_options,
        }
        core = openvino.Core()
        if options.device.partition(":")[0] not in ("AUTO", "MULTI", "HETERO"):
            _check_device(options.device, core.available_devices)
        try:
            model = core.compile_model(core.read_model(path), options.device, properties)
        except Exception as error:  # OpenVINO raises RuntimeError, and more
            text = f"{path} does not work with OpenVINO here: {_last_line(error)}"
            raise ConfigError(Problem(text, f"{key}.path")) from error
        files.require_unchanged(key)
        self._model: Any = model
        self._own = threading.local()  # a request is one thread's at a time
        used = model.get_property("EXECUTION_DEVICES")
        inputs, outputs = (
            [_port(port, path, key) for port in some] for some in (model.inputs, model.outputs)
        )
        self._outputs = [port.name for port in outputs]
        self._wiring = Wiring(inputs, outputs, wires, path, key)
        self.info = ModelInfo(
            variant=variant,
            digest=files.digest,
            inputs=self._wiring.inputs,
            outputs=self._wiring.outputs,
            batch_max=self._wiring.batch_max,
            runs_on=f"OpenVINO {', '.join(used)}",
            state=self._wiring.state,
        )
        self.concurrency = options.concurrency

    def run(self, inputs: Columns) -> Columns:
        """The outputs for a batch; see ``Executor``."""
        request = getattr(self._own, "request", None)
        if request is None:
            request = self._own.request = self._model.create_infer_request()
        # OpenVINO would otherwise share memory with what it was given, which may be read-only.
        whole = dict(self._wiring.given(inputs))
        made = request.infer(whole, share_inputs=False, share_outputs=False)
        return self._wiring.made({name: np.asarray(made[name]) for name in self._outputs})

    def close(self) -> None:
        """The model ends with this object; see ``Executor``."""


def _check_device(device: str, available: list[str]) -> None:
    if not any(name == device or name.startswith(f"{device}.") for name in available):
        text = f"there is no device {device!r} here: OpenVINO finds {', '.join(available)}"
        raise ConfigError(Problem(text, f"{_KEY}.device"))


def _port(port: Any, path: str, key: str) -> Port:  # noqa: ANN401 - OpenVINO's ports
    try:
        dtype = port.get_element_type().to_dtype().name
    except (RuntimeError, TypeError) as error:
        text = f"{path}: {port.get_any_name()!r} is of a type which is not supported"
        raise ConfigError(Problem(text, f"{key}.path")) from error
    axes = tuple(size.get_length() if size.is_static else None for size in port.get_partial_shape())
    return Port(port.get_any_name(), dtype, axes)


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__

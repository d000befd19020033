"""onnxruntime, in this process."""

from pathlib import Path
from typing import Any

from streamproc.core import (
    Clock,
    Columns,
    ConfigError,
    ModelError,
    ModelInfo,
    Problem,
    Reason,
    SystemClock,
)
from streamproc.executors.models import Rules, look_at
from streamproc.executors.onnx_providers import CPU, check_used, chosen
from streamproc.executors.onnx_settings import session_options
from streamproc.executors.profiling import profile_prefix
from streamproc.executors.runtimes import OnnxRuntime
from streamproc.executors.terminator import Terminator
from streamproc.executors.wiring import Port, Wires, Wiring

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int8)": "int8",
    "tensor(int16)": "int16",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}
_RULES = Rules()
_NO_WIRES = Wires()


class OnnxExecutor:
    """Runs an ONNX model.

    Args:
        path: the model's file.
        options: what the user set.
        variant: which variant of the model it is.
        key: where it stands in the configuration.
        rules: what its files must keep to.
        wires: what of its inputs does not come from the events.
        clock: the time, to stop batches by.

    Raises:
        ConfigError: the file is missing, is no model, or a provider does not work here.
    """

    def __init__(
        self,
        path: str,
        options: OnnxRuntime,
        *,
        variant: str = "full",
        key: str = "model",
        rules: Rules = _RULES,
        wires: Wires = _NO_WIRES,
        clock: Clock | None = None,
    ) -> None:
        import onnxruntime  # noqa: PLC0415 - 0.1 s that no other command needs

        settings = session_options(options)
        prefix = profile_prefix(variant)
        if prefix is not None:
            settings.enable_profiling = True
            settings.profile_file_prefix = prefix
        providers = chosen(options, onnxruntime.get_available_providers())
        if (
            CPU not in options.providers
        ):  # else what no other can run would be run on it without a word
            settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        files = look_at(path, rules, key)
        for place, library in enumerate(files.libraries):
            _register(settings, library, f"model.custom_ops[{place}]")
        try:
            self._session: Any = onnxruntime.InferenceSession(path, settings, providers=providers)
        except Exception as error:  # onnxruntime's errors have no common ancestor
            text = str(error).splitlines()[0]
            raise ConfigError(
                Problem(f"{path} is no model that works here: {text}", f"{key}.path")
            ) from error
        files.require_unchanged(key)
        used = self._session.get_providers()
        check_used(options, [name for name, _ in providers], used)
        inputs, outputs = (
            [_port(tensor, path, f"{key}.path") for tensor in some]
            for some in (self._session.get_inputs(), self._session.get_outputs())
        )
        self._outputs = [port.name for port in outputs]
        self._wiring = Wiring(inputs, outputs, wires, path, key)
        self.info = ModelInfo(
            variant=variant,
            digest=files.digest,
            inputs=self._wiring.inputs,
            outputs=self._wiring.outputs,
            batch_max=self._wiring.batch_max,
            runs_on=used[0],
            state=self._wiring.state,
        )
        self.concurrency = options.concurrency
        self.inline = True
        self._run_options: Any = onnxruntime.RunOptions
        self._terminator = Terminator(clock or SystemClock())

    def run(self, inputs: Columns) -> Columns:
        """The outputs for a batch; see ``Executor``."""
        made = self._session.run(self._outputs, self._wiring.given(inputs))
        return self._wiring.made(dict(zip(self._outputs, made, strict=True)))

    def run_by(
        self,
        inputs: Columns,
        deadline_ns: int | None,  # noqa: ARG002 - no answer is given up for one of its events
        until_ns: int | None = None,
    ) -> Columns:
        """The outputs for a batch, which is stopped at an instant; see ``TimedExecutor``.

        Raises:
            ModelError: it was stopped.
        """
        if until_ns is None:
            return self.run(inputs)
        options = self._run_options()
        number = self._terminator.begin(options, until_ns)
        try:
            made = self._session.run(self._outputs, self._wiring.given(inputs), options)
        except Exception as error:
            if self._terminator.end(number):
                text = f"the model {self.info.variant} was stopped: no answer could be in time any more"
                raise ModelError(Reason.STOPPED, text) from error
            raise
        self._terminator.end(number)
        return self._wiring.made(dict(zip(self._outputs, made, strict=True)))

    def end_profile(self) -> tuple[Path, int]:
        """The profile of a session that was made within ``profiled_sessions``, and when it was begun (ns since 1970)."""
        begun_ns = int(self._session.get_profiling_start_time_ns())
        return Path(self._session.end_profiling()), begun_ns

    def close(self) -> None:
        """The session ends with this object; see ``Executor``."""
        self._terminator.close()


def _register(settings: Any, library: Path, key: str) -> None:  # noqa: ANN401 - onnxruntime has no types
    try:
        settings.register_custom_ops_library(str(library))
    except Exception as error:  # onnxruntime's errors have no common ancestor
        text = f"{library} is no library of operators that works here: {str(error).splitlines()[0]}"
        raise ConfigError(Problem(text, key)) from error


def _port(tensor: Any, path: str, key: str) -> Port:  # noqa: ANN401 - onnxruntime has no types
    dtype = _DTYPES.get(tensor.type)
    if dtype is None:
        text = f"{path}: {tensor.name!r} is of type {tensor.type}, which is not supported"
        raise ConfigError(Problem(text, key))
    return Port(tensor.name, dtype, tuple(tensor.shape))

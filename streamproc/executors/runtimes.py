"""What a user can set of the runtimes that read ONNX files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """onnxruntime, in this process.

    Attributes:
        providers: execution providers, the preferred one first; what it cannot run goes to the next. Without
            ``CPUExecutionProvider`` among them nothing is run on the CPU.
        provider_options: by provider its own options, such as
            ``{TensorrtExecutionProvider: {trt_engine_cache_enable: true}}``.
        fallback: whether the next provider may stand in, with a warning, where one is not installed or does not work
            here; else that is refused.
        intra_op_threads: threads inside one operator.
        concurrency: how many batches run at the same time.
    """

    providers: Sequence[str] = ("CPUExecutionProvider",)
    provider_options: Mapping[str, Mapping[str, bool | int | float | str]] = field(
        default_factory=dict
    )
    fallback: bool = False
    intra_op_threads: int = 1
    concurrency: int = 1

    def __post_init__(self) -> None:
        if not self.providers:
            msg = "providers is empty: name at least one, such as CPUExecutionProvider"
            raise ValueError(msg)
        for name in self.provider_options:
            if name not in self.providers:
                msg = f"provider_options names {name}, which is not among the providers"
                raise ValueError(msg)
        for name in ("intra_op_threads", "concurrency"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, was {getattr(self, name)}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class OpenVino:
    """OpenVINO's own runtime, in this process; an extra: ``pip install 'streamproc[openvino]'``.

    Attributes:
        device: ``CPU``, ``GPU``, ``NPU``, or ``AUTO:GPU,CPU`` for an order.
        threads: threads of one batch.
        concurrency: how many batches run at the same time.
        precision: what it may compute in; ``f32`` gives what the model says.
        device_options: the device's own, such as ``{CACHE_DIR: /var/cache/model}``.
    """

    device: str = "CPU"
    threads: int = 1
    concurrency: int = 1
    precision: Literal["f32", "f16", "bf16"] = "f32"
    device_options: Mapping[str, bool | int | float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("threads", "concurrency"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, was {getattr(self, name)}"
                raise ValueError(msg)


NEED_FILES = (OnnxRuntime, OpenVino)
"""What cannot do without a file."""

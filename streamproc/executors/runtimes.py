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
        spinning: whether threads that wait for their part of an operator stay awake: quicker, and a core each that is busy
            with nothing. With one thread nobody waits.
        arena: whether memory is kept from batch to batch; without it, it is given back and asked for anew.
        execution_mode: ``parallel`` runs operators that do not need one another at the same time.
        inter_op_threads: how many of them.
        graph_optimization: how far the graph may be changed when it is loaded.
    """

    providers: Sequence[str] = ("CPUExecutionProvider",)
    provider_options: Mapping[str, Mapping[str, bool | int | float | str]] = field(
        default_factory=dict
    )
    fallback: bool = False
    intra_op_threads: int = 1
    concurrency: int = 1
    spinning: bool = True
    arena: bool = True
    execution_mode: Literal["sequential", "parallel"] = "sequential"
    inter_op_threads: int = 1
    graph_optimization: Literal["all", "extended", "basic", "none"] = "all"

    def __post_init__(self) -> None:
        if not self.providers:
            msg = "providers is empty: name at least one, such as CPUExecutionProvider"
            raise ValueError(msg)
        for name in self.provider_options:
            if name not in self.providers:
                msg = f"provider_options names {name}, which is not among the providers"
                raise ValueError(msg)
        for name in ("intra_op_threads", "concurrency", "inter_op_threads"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, was {getattr(self, name)}"
                raise ValueError(msg)
        if (self.execution_mode == "parallel") != (self.inter_op_threads > 1):
            msg = (
                f"inter_op_threads is {self.inter_op_threads}, with execution_mode {self.execution_mode}: "
                "parallel needs two at least, and sequential one"
            )
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

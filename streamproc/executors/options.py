"""What a user can set of the model and of what runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamproc.core import Duration


@dataclass(frozen=True, slots=True)
class OnnxRuntime:
    """onnxruntime, in this process.

    Attributes:
        providers: execution providers, the first that works is used; each must be installed.
        intra_op_threads: threads inside one operator.
        concurrency: how many batches run at the same time.
    """

    providers: Sequence[str] = ("CPUExecutionProvider",)
    intra_op_threads: int = 1
    concurrency: int = 1

    def __post_init__(self) -> None:
        if not self.providers:
            msg = "providers is empty: name at least one, such as CPUExecutionProvider"
            raise ValueError(msg)
        for name in ("intra_op_threads", "concurrency"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, was {getattr(self, name)}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class PythonModel:
    """A Python function over columns, in this process on a thread.

    Attributes:
        callable: where it is, as ``package.module:name``; called with the inputs by name, each
            [n, ...], it returns the outputs by name or one array. It cannot be measured without real inputs,
            so a batch is taken to last equally long whatever its size: where that is not so, set
            ``batching.max_size`` to what the budget allows.
    """

    callable: str


@dataclass(frozen=True, slots=True)
class Simulated:
    """Takes a set time for each batch, for demonstrations and capacity plans.

    The outputs are those of the model file where one is given, else zeros [n, 1].

    Attributes:
        fixed: time of a batch.
        per_event: further time for each event of it.
    """

    fixed: Duration = Duration.parse("2ms")  # noqa: RUF009 - immutable
    per_event: Duration = Duration.parse("100us")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class Model:
    """The model and what runs it.

    Attributes:
        path: the ONNX file, relative to the configuration file; None only for a Python callable.
        executor: what runs it.
        inputs: field by model input, for a model with several inputs whose names are not the fields'.
    """

    path: str | None = None
    executor: OnnxRuntime | PythonModel | Simulated = field(default_factory=OnnxRuntime)
    inputs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.path is None and isinstance(self.executor, OnnxRuntime):
            msg = "path is missing: name the ONNX file, or executor: {python: {callable: ...}}"
            raise ValueError(msg)

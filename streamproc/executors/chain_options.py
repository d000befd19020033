"""What a user can set of a chain: several models in a row, which are one model to everybody else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamproc.executors.runtimes import OnnxRuntime, OpenVino
from streamproc.executors.wiring import Constant


@dataclass(frozen=True, slots=True)
class ChainStage:
    """One model of a chain. What flows between the stages are tensors, each of which has one name in the whole chain.

    Attributes:
        path: the ONNX file, relative to the configuration file.
        inputs: by input of this file, the tensor that fills it, where that has another name: what a stage before
            gives, or, where none gives it, what the events have.
        outputs: by output of this file, what the tensor is called in the chain, where it is not the output's own name.
        constants: inputs of this file that are the same for all events, such as ``{sr: 16000}``.
        shapes: by input of this file, the sizes behind the batch axis where the file leaves them open.
        executor: what runs it; null takes the model's, or the variant's.
    """

    path: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Constant] = field(default_factory=dict)
    shapes: Mapping[str, Sequence[int]] = field(default_factory=dict)
    executor: OnnxRuntime | OpenVino | None = None

    def __post_init__(self) -> None:
        for name in self.inputs:
            if name in self.constants:
                msg = f"constants: {name!r} stands in inputs too; keep one"
                raise ValueError(msg)
        names = list(self.outputs.values())
        for name in names:
            if names.count(name) > 1:
                msg = f"outputs: two are called {name!r}; each tensor has a name of its own"
                raise ValueError(msg)

"""What the programs have to do: events, models, and the right answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime
import orjson
from onnx import TensorProto, helper, numpy_helper

from tests.support.kafka import Message

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = 64  # and as many different feature vectors, so that making an event costs little
# The first event's `ts`; the others count on. As long as nanoseconds since 1970 are, so that the sizes are true.
FIRST_TS = 1_700_000_000_000_000_000


@dataclass(frozen=True)
class Workload:
    """A stream of events and the model that answers them.

    Attributes:
        name: as on the command line.
        layers: sizes of the perceptron, inputs first.
        labels: names of its outputs.
        head: fields before ``ts`` that nobody asks for.
        events_share: how many of its events are run for one of ``tick``.
    """

    name: str
    layers: tuple[int, ...]
    labels: tuple[str, ...]
    head: str
    events_share: float

    @cached_property
    def vectors(self) -> list[list[float]]:
        rng = np.random.default_rng(1)
        return [[round(float(v), 4) for v in rng.random(self.layers[0])] for _ in range(KEYS)]

    def templates(self) -> tuple[bytes, list[bytes]]:
        """An event's bytes before its ``ts``, and those behind it for each of the ``KEYS`` vectors."""
        head = b"{" + self.head.encode() + b'"ts":'
        return head, [b',"features":' + orjson.dumps(vector) + b"}" for vector in self.vectors]

    def messages(self, count: int) -> Iterator[Message]:
        """The events: event i has key and vector ``i % KEYS`` and the time ``FIRST_TS + i``."""
        keys = [b"%d" % number for number in range(KEYS)]
        head, tails = self.templates()
        for number in range(count):
            kind = number % KEYS
            yield Message(head + b"%d" % (FIRST_TS + number) + tails[kind], keys[kind])

    def write_model(self, path: Path) -> None:
        """Write the model, an ONNX perceptron from ``x`` to ``out``; the same bytes each time."""
        rng = np.random.default_rng(0)
        nodes, weights, name = [], [], "x"
        for number, (inputs, outputs) in enumerate(pairwise(self.layers)):
            scaled = rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
            weights.append(numpy_helper.from_array(scaled.astype(np.float32), f"w{number}"))
            weights.append(numpy_helper.from_array(np.zeros(outputs, np.float32), f"b{number}"))
            nodes.append(
                helper.make_node("Gemm", [name, f"w{number}", f"b{number}"], [f"y{number}"])
            )
            name = f"y{number}"
            if number < len(self.layers) - 2:
                nodes.append(helper.make_node("Relu", [name], [f"r{number}"]))
                name = f"r{number}"
        nodes.append(helper.make_node("Softmax", [name], ["out"]))
        graph = helper.make_graph(
            nodes,
            self.name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", self.layers[0]])],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["n", self.layers[-1]])],
            weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 9
        onnx.save(model, path)

    def right_answers(self, model: Path) -> list[int]:
        """The class of each vector, from one run of the model apart from all programs."""
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        scores = session.run(None, {"x": np.array(self.vectors, dtype=np.float32)})[0]
        return scores.argmax(axis=1).tolist()


WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload(
            name="tick",
            layers=(16, 64, 64, 3),
            labels=("down", "flat", "up"),
            head='"symbol":"BTCUSD","price":64000.1,"size":0.25,',
            events_share=1.0,
        ),
        Workload(  # the feed-forward network of the Crayfish benchmark (EDBT 2024)
            name="ffnn",
            layers=(784, 32, 32, 32, 10),
            labels=tuple(str(digit) for digit in range(10)),
            head="",
            events_share=0.1,
        ),
    )
}

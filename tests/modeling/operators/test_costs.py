"""Operations and bytes, counted by hand."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from streamproc.core import ConfigError
from streamproc.modeling.measuring import Timing
from streamproc.modeling.operators import ModelProfile, OperatorTime, Roofline, advice, costs_of
from streamproc.modeling.operators.costs import activation_bytes_max
from streamproc.modeling.operators.profile import times_of
from streamproc.modeling.operators.roofline import measure_roofline
from tests.modeling.conftest import network


def test_each_operator_costs_what_its_shapes_say() -> None:
    by_name = {cost.name: cost for cost in costs_of(network(normalised=False), 2)}
    first = by_name["c0"]
    assert first.flops == 2 * (2 * 16 * 16) * (3 * 3)
    weights = 4 * (16 * 3 * 3 + 16)
    assert first.weight_bytes == weights
    assert first.bytes_moved == weights + 4 * (2 * 3 * 16) + 4 * (2 * 16 * 16)
    assert first.intensity == first.flops / first.bytes_moved
    second = by_name["c1"]
    assert second.flops == 2 * (2 * 32 * 8) * (16 * 5)
    assert by_name["s"].flops == 2 * (2 * 4) * 32
    assert by_name["r0"].flops == 2 * 16 * 16
    assert (by_name["f"].flops, by_name["f"].bytes_moved) == (0, 0)


def test_what_is_alive_at_the_same_time() -> None:
    """The largest pair is what the first convolution gives and what its ReLU makes of it."""
    assert activation_bytes_max(network(normalised=False), 2) == 2 * 4 * (2 * 16 * 16)


def test_inner_axes_that_are_not_known() -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "open",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", "m"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "m"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    with pytest.raises(ConfigError, match="the shape of 'x' cannot be known"):
        costs_of(model, 1)
    assert isinstance(model, onnx.ModelProto)


def test_the_roofline_is_the_best_of_what_was_measured() -> None:
    class Steps:
        """Products take 2 ms, but for one of 1 ms; copies 4 ms."""

        def __init__(self) -> None:
            self.now, self.calls = 0, 0

        def __call__(self) -> int:
            at = self.calls % 4
            self.calls += 1
            if at == 1:
                self.now += 1_000_000 if self.calls == 2 else 2_000_000
            if at == 3:
                self.now += 4_000_000
            return self.now

    found = measure_roofline(Steps())
    assert found.flops_per_s == 2 * 512**3 / 1e-3
    assert found.bytes_per_s == 2 * (64 << 20) / 4e-3
    assert found.bound_s(2 * 512**3, 0) == 1e-3
    assert found.bound_s(0, 2 * (64 << 20)) == 4e-3


def test_times_are_medians_behind_the_warm_up() -> None:
    def event(name: str, operator: str, took_us: int) -> dict[str, object]:
        return {
            "cat": "Node",
            "name": f"{name}_kernel_time",
            "dur": took_us,
            "args": {"op_name": operator},
        }

    told: list[dict[str, object]] = [{"cat": "Session", "name": "model_run", "dur": 9}]
    for took in (900, 900, 900, 900, 900, 3, 4, 500):
        told += [event("a", "Conv", took), event("b", "Conv", 10), event("c", "Relu", 1)]
    assert times_of(told) == (OperatorTime("Conv", 2, 14_000.0), OperatorTime("Relu", 1, 1_000.0))


def timing(ns: float) -> Timing:
    return Timing.of(np.array([ns], np.int64))


PROFILE = ModelProfile(
    batch=8,
    parameters=1,
    weight_bytes=1,
    activation_bytes=1,
    costs=tuple(costs_of(network(normalised=False), 8)),
    written=(),
    fused=(OperatorTime("FusedConv", 2, 90.0), OperatorTime("Softmax", 1, 10.0)),
    run_written=timing(100_000),
    run_fused=timing(100_000),
    run_one=timing(50_000),
    roofline=Roofline(1e10, 1e10),
)


@pytest.mark.parametrize(
    ("profile", "text"),
    [
        (PROFILE, "90% of the time is convolutions"),
        (PROFILE, "A batch of 8 costs 4.0 times less an event"),
        (PROFILE, "Fusing brings next to nothing"),
        (replace(PROFILE, run_one=timing(12_500)), "A batch of 8 gains little (1.0 times)"),
        (replace(PROFILE, run_written=timing(150_000)), "Fusing brings 1.50 times"),
        (replace(PROFILE, run_fused=timing(10_000_000)), "the operators are too small to fill it"),
        (replace(PROFILE, roofline=Roofline(1e10, 1e9)), "memory is the limit"),
        (replace(PROFILE, fused=(OperatorTime("QLinearConv", 1, 9.0),)), "quantized already"),
        (
            replace(PROFILE, fused=(OperatorTime("Erf", 1, 9.0), OperatorTime("Conv", 1, 1.0))),
            "Erf takes 90%: INT8 will not help much",
        ),
    ],
)
def test_advice_follows_from_what_was_found(profile: ModelProfile, text: str) -> None:
    assert any(text in sentence for sentence in advice(profile)), advice(profile)

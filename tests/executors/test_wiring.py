"""A model's own inputs, made of rows: constants, state with its batch on any axis, sizes that the file leaves open."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from streamproc.core import ConfigError, StateSpec, SystemClock, TensorSpec
from streamproc.executors import (
    Isolation,
    Model,
    ModelState,
    ModelVariant,
    load_executors,
    sweep,
)
from streamproc.executors.wiring import Constant, Port, Wires, Wiring
from streamproc.testing.contracts import executor_contract
from tests.support.models import leaky_sum, written

X = Port("x", "float32", ("n", 4))
H = Port("h", "float32", (2, "n", 3))
Y = Port("y", "float32", ("n", 1))
HN = Port("hN", "float32", ("a", "b", 3))
SR = Port("sr", "int64", ())


def carried(**options: object) -> ModelState:
    whole: dict[str, object] = {"inputs": {"h": "hN"}, "restore": "none"}
    return ModelState(**(whole | options))  # type: ignore[arg-type]


def wired(
    inputs: Sequence[Port] = (X, H, SR),
    outputs: Sequence[Port] = (Y, HN),
    *,
    constants: Mapping[str, Constant] | None = None,
    shapes: Mapping[str, Sequence[int]] | None = None,
    state: ModelState | None = None,
) -> Wiring:
    wires = Wires(constants or {"sr": 16000}, shapes or {}, state or carried())
    return Wiring(inputs, outputs, wires, "m.onnx", "model")


def test_the_events_fill_what_nothing_else_does() -> None:
    wiring = wired()
    assert wiring.inputs == (TensorSpec("x", "float32", (4,)),)
    assert wiring.outputs == (TensorSpec("y", "float32", (1,)),)
    assert wiring.state == (StateSpec("h", "hN", "float32", (2, 3)),)
    assert wiring.batch_max is None


def test_rows_become_the_models_own_and_come_back() -> None:
    wiring = wired()
    rows = np.arange(30, dtype=np.float32).reshape(5, 2, 3)
    whole = wiring.given({"x": np.zeros((5, 4), np.float32), "h": rows})
    assert whole["h"].shape == (2, 5, 3)
    assert whole["h"].flags.c_contiguous
    assert whole["sr"].shape == ()
    assert whole["sr"].dtype == np.int64
    back = wiring.made({"y": np.zeros((5, 1)), "hN": whole["h"]})
    assert np.array_equal(back["hN"], rows)


def test_state_that_is_not_given_begins_with_zeros() -> None:
    whole = wired().given({"x": np.ones((2, 4), np.float32)})
    assert whole["h"].shape == (2, 2, 3)
    assert not whole["h"].any()


@pytest.mark.parametrize(
    ("axes", "written_axis", "axis"),
    [
        ((2, "n", 3), None, 1),
        (("n", 2, 3), None, 0),
        ((2, "other", 3), None, 1),
        ((2, None, 3), None, 1),
        (("a", "b", 3), 1, 1),
    ],
)
def test_the_batch_is_found_or_said(
    axes: tuple[int | str | None, ...], written_axis: int | None, axis: int
) -> None:
    state = carried(batch_axis={} if written_axis is None else {"h": written_axis})
    shapes = {"h": (2, 3)} if written_axis is not None else {}
    wiring = wired((X, Port("h", "float32", axes), SR), state=state, shapes=shapes)
    whole = wiring.given({"x": np.zeros((7, 4), np.float32)})
    assert whole["h"].shape[axis] == 7


def test_a_model_of_one_event_a_batch_has_its_state_so() -> None:
    inputs = (Port("x", "float32", (1, 4)), Port("h", "float32", (2, 1, 3)), SR)
    wiring = wired(inputs, (Y, Port("hN", "float32", (2, 1, 3))))
    assert wiring.batch_max == 1
    assert wiring.state[0].shape == (2, 3)


@pytest.mark.parametrize(
    ("ports", "options", "key", "words"),
    [
        ({}, {"constants": {"rate": 1}}, "model.constants", "no input 'rate'"),
        ({}, {"shapes": {"z": [1]}}, "model.shapes", "no input 'z'"),
        ({}, {"shapes": {"x": [5]}}, "model.shapes.x", "does not fit"),
        ({}, {"state": carried(inputs={"g": "hN"})}, "model.state.inputs", "no input 'g'"),
        ({}, {"state": carried(inputs={"h": "g"})}, "model.state.inputs", "no output 'g'"),
        (
            {"h": Port("h", "float32", ("a", "b", 3))},
            {},
            "model.state.inputs.h",
            "batch_axis: {h: 0}",
        ),
        (
            {"h": Port("h", "float32", (2, "n", "wide"))},
            {},
            "model.state.inputs.h",
            "model.shapes: {h: [...]}",
        ),
        ({}, {"state": carried(batch_axis={"h": 3})}, "model.state.batch_axis.h", "3 axes"),
        ({"hN": Port("hN", "float64", HN.axes)}, {}, "model.state.inputs.h", "must be alike"),
        ({"hN": Port("hN", "float32", (2, "n", 4))}, {}, "model.state.inputs.h", "must be alike"),
        ({}, {"constants": {"sr": 0.5}}, "model.constants.sr", "no whole number"),
        ({}, {"constants": {"sr": "fast"}}, "model.constants.sr", "a text is no number"),
        ({}, {"constants": {"sr": [1, 2]}}, "model.constants.sr", "int64, one"),
        (
            {"sr": Port("sr", "int8", ())},
            {"constants": {"sr": 300}},
            "model.constants.sr",
            "does not fit",
        ),
    ],
)
def test_what_does_not_fit_the_model_is_refused(
    ports: dict[str, Port], options: dict[str, object], key: str, words: str
) -> None:
    found = {"x": X, "h": H, "sr": SR, "y": Y, "hN": HN} | ports
    with pytest.raises(ConfigError) as raised:
        wired(
            [found[name] for name in ("x", "h", "sr")],
            [found[name] for name in ("y", "hN")],
            **options,  # type: ignore[arg-type]
        )
    (problem,) = raised.value.problems
    assert problem.key == key
    assert words in problem.message


def model(path: str, **changes: object) -> Model:
    options: dict[str, object] = {"path": path, "constants": {"gain": 2.0}, "state": carried()}
    return Model(**(options | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("batch_axis", [0, 1])
@pytest.mark.parametrize("kind", ["here", "isolated", "openvino"])
def test_the_runtimes_carry_alike(tmp_path: Path, kind: str, batch_axis: int) -> None:
    changes: dict[str, object] = {}
    if kind == "isolated":
        changes["isolation"] = Isolation(spare=False)
    if kind == "openvino":
        pytest.importorskip("openvino")
        from streamproc.executors import OpenVino  # noqa: PLC0415

        changes["executor"] = OpenVino()
    path = leaky_sum(tmp_path / "leaky.onnx", batch_axis=batch_axis)
    (executor,) = load_executors(model(path, **changes), SystemClock())
    try:
        assert executor.info.state == (StateSpec("h", "hN", "float32", (2,)),)
        assert [spec.name for spec in executor.info.inputs] == ["x"]
        state = np.array([[8.0, 4.0], [2.0, 0.0], [0.0, 6.0]], np.float32)
        x = np.array([[1.0], [2.0], [3.0]], np.float32)
        made = executor.run({"x": x, "h": state})
        assert np.array_equal(made["hN"], state / 2 + 2 * x)
        assert np.array_equal(made["y"], made["hN"])
        assert np.array_equal(executor.run({"x": x})["hN"], np.repeat(2 * x, 2, axis=1))
        sizes, _ = sweep(executor, size_max=4, clock=SystemClock())
        assert sizes == [1, 2, 4]
    finally:
        executor.close()


def test_an_executor_that_carries_state_keeps_the_contract(tmp_path: Path) -> None:
    path = leaky_sum(tmp_path / "leaky.onnx", batch_axis=1)

    def inputs(count: int) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
        row = np.arange(count, dtype=np.float32)[:, np.newaxis]
        return {"x": row, "h": np.repeat(row + 1, 2, axis=1)}

    executor_contract(lambda: load_executors(model(path), SystemClock())[0], inputs)


def test_sizes_that_are_written_are_what_the_warm_up_runs_with(tmp_path: Path) -> None:
    """The model needs four numbers, and its file does not say so."""
    float32 = TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Reshape", ["x", "two_by_two"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", float32, ["n", "wide"])],
        [helper.make_tensor_value_info("y", float32, ["n", 2, 2])],
        [helper.make_tensor("two_by_two", TensorProto.INT64, [3], [-1, 2, 2])],
    )
    path = written(graph, tmp_path / "m.onnx")
    (loose,) = load_executors(Model(path=path), SystemClock())
    (exact,) = load_executors(Model(path=path, shapes={"x": [4]}), SystemClock())
    with pytest.raises(Exception, match="Reshape"):
        sweep(loose, size_max=1, clock=SystemClock())
    assert exact.info.inputs == (TensorSpec("x", "float32", (4,)),)
    assert sweep(exact, size_max=2, clock=SystemClock())[0] == [1, 2]


def test_variants_carry_the_same(tmp_path: Path) -> None:
    one = leaky_sum(tmp_path / "a.onnx")
    two = leaky_sum(tmp_path / "b.onnx", batch_axis=1)  # laid out otherwise, which is no difference
    variants = [ModelVariant("full", one), ModelVariant("small", two, quality=0.9)]
    both = load_executors(replace(model(one), path=None, variants=variants), SystemClock())
    assert both[0].info.state == both[1].info.state

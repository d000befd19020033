"""From the configuration to an executor, and the warm-up's measurement of it."""

from collections.abc import Callable

import numpy as np
import pytest
from onnx import TensorProto

from streamproc.core import Columns, ConfigError, Executor, ModelInfo, TensorSpec, VirtualClock
from streamproc.executors import (
    Model,
    ModelVariant,
    OnnxExecutor,
    OnnxRuntime,
    PythonExecutor,
    PythonModel,
    Simulated,
    SimulatedExecutor,
    load_executors,
    sweep,
)
from streamproc.executors.load import SWEEP_LIMIT_NS
from tests.executors.conftest import MakeModel, identities, linear

MS = 1_000_000


class Pretended:
    """Moves the clock instead of working; remembers what it was asked."""

    concurrency, inline = 1, True

    def __init__(self, cost_ns: Callable[[int, int], int], *specs: TensorSpec) -> None:
        self.info = ModelInfo("full", "none", specs or (TensorSpec("x", "float32", (2, None)),))
        self.clock = VirtualClock()
        self.cost_ns = cost_ns
        self.asked: list[Columns] = []

    @property
    def sizes(self) -> list[int]:
        return [len(next(iter(inputs.values()))) for inputs in self.asked]

    def run(self, inputs: Columns) -> Columns:
        self.asked.append(inputs)
        size = self.sizes[-1]
        self.clock.advance(self.cost_ns(size, self.sizes.count(size)))
        return {}

    def close(self) -> None:
        """Nothing to do."""


def swept(executor: Pretended, size_max: int) -> tuple[list[int], list[int]]:
    return sweep(executor, size_max=size_max, clock=executor.clock)


@pytest.mark.parametrize(
    ("size_max", "sizes"),
    [
        (1, [1]),
        (2, [1, 2]),
        (3, [1, 2, 3]),
        (8, [1, 2, 4, 8]),
        (100, [1, 2, 4, 8, 16, 32, 64, 100]),
    ],
)
def test_sizes_double_up_to_the_largest(size_max: int, sizes: list[int]) -> None:
    found, run_ns = swept(Pretended(lambda size, _: MS + size * 1_000), size_max)
    assert found == sizes
    assert run_ns == [MS + size * 1_000 for size in sizes]


def test_the_first_run_does_not_count_and_one_slow_run_neither() -> None:
    costs = {1: 900 * MS, 2: 2 * MS, 3: 2 * MS, 4: 300 * MS, 5: 2 * MS, 6: 2 * MS}
    executor = Pretended(lambda _, turn: costs[turn])
    assert swept(executor, 1) == ([1], [2 * MS])
    assert executor.sizes == [1] * 6


def test_when_the_time_is_up_the_last_two_give_the_slope() -> None:
    executor = Pretended(lambda size, _: size * 50 * MS)
    sizes, run_ns = swept(executor, 64)
    # 0.3 s, 0.6 s and 1.2 s: the time is over in the third size, and 8 to 32 are left out.
    assert sizes == [1, 2, 4, 64]
    assert run_ns == [50 * MS, 100 * MS, 200 * MS, 3_200 * MS]
    assert executor.clock.now_ns() - VirtualClock().now_ns() < SWEEP_LIMIT_NS + 201 * MS


def test_a_slope_never_goes_down() -> None:
    executor = Pretended(lambda size, _: 300 * MS if size == 1 else 100 * MS)
    assert swept(executor, 1_024) == ([1, 2, 1_024], [300 * MS, 100 * MS, 100 * MS])


def test_a_model_slower_than_the_whole_sweep_is_measured_once() -> None:
    executor = Pretended(lambda size, _: size * 3_000 * MS)
    assert swept(executor, 64) == ([1], [3_000 * MS])
    assert executor.sizes == [1, 1]


def test_times_are_positive_also_where_the_clock_did_not_move() -> None:
    assert swept(Pretended(lambda *_: 0), 4) == ([1, 2, 4], [1, 1, 1])


def test_the_model_is_given_zeros_of_its_kinds_and_shapes() -> None:
    specs = (TensorSpec("x", "float16", (3, None)), TensorSpec("i", "int64", ()))
    executor = Pretended(lambda *_: MS, *specs)
    swept(executor, 2)
    for inputs, size in zip(executor.asked, executor.sizes, strict=True):
        assert (inputs["x"].shape, str(inputs["x"].dtype)) == ((size, 3, 1), "float16")
        assert (inputs["i"].shape, str(inputs["i"].dtype)) == ((size,), "int64")


def test_a_model_that_does_not_say_what_it_takes_is_not_run() -> None:
    def never(_: object) -> object:
        pytest.fail("it was run without inputs")

    found = sweep(PythonExecutor(never, name="f"), size_max=8, clock=VirtualClock())
    assert found == ([1], [2 * MS])


def load(model: Model, clock: VirtualClock) -> Executor:
    (executor,) = load_executors(model, clock)
    return executor


def test_each_option_loads_its_executor(make_model: MakeModel) -> None:
    path, clock = make_model(linear("n")), VirtualClock()
    assert isinstance(load(Model(path), clock), OnnxExecutor)
    assert isinstance(load(Model(path, OnnxRuntime()), clock), OnnxExecutor)
    python = load(Model(executor=PythonModel("numpy:asarray")), clock)
    assert isinstance(python, PythonExecutor)
    assert python.run({"x": np.zeros(1)})["output"].shape == ()
    alone = load(Model(executor=Simulated()), clock)
    assert isinstance(alone, SimulatedExecutor)
    around = load(Model(path, Simulated()), clock)
    assert isinstance(around, SimulatedExecutor)
    assert around.info.inputs == (TensorSpec("x", "float32", (3,)),)


def test_a_callable_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match="there is no such name in numpy") as raised:
        load(Model(executor=PythonModel("numpy:predict_it")), VirtualClock())
    assert raised.value.problems[0].key == "model.executor.python.callable"


def test_variants_load_the_best_first(make_model: MakeModel) -> None:
    small, full = make_model(linear("n"), "small.onnx"), make_model(linear("n"), "full.onnx")
    variants = (ModelVariant("small", small, 0.9), ModelVariant("full", full))
    executors = load_executors(Model(variants=variants), VirtualClock())
    assert [executor.info.variant for executor in executors] == ["full", "small"]


def test_a_variant_that_takes_something_else_is_refused(make_model: MakeModel) -> None:
    other = make_model(identities([("x", TensorProto.FLOAT, ["n", 4])]), "other.onnx")
    variants = (ModelVariant("full", make_model(linear("n"))), ModelVariant("odd", other, 0.5))
    with pytest.raises(ConfigError, match=r"'odd' takes x float32.n, 4., but 'full'") as raised:
        load_executors(Model(variants=variants), VirtualClock())
    assert raised.value.problems[0].key == "model.variants[1].path"


def test_a_variant_that_does_not_load_is_named(make_model: MakeModel) -> None:
    variants = (
        ModelVariant("small", "gone.onnx", 0.5),
        ModelVariant("full", make_model(linear("n"))),
    )
    with pytest.raises(ConfigError, match=r"gone\.onnx cannot be read") as raised:
        load_executors(Model(variants=variants), VirtualClock())
    assert raised.value.problems[0].key == "model.variants[0].path"

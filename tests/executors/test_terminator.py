"""A real model that takes too long is stopped between two operators."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamproc.core import NS_PER_S, Columns, ModelError, Reason, SystemClock
from streamproc.engine import Infer, Rescued, Stop
from streamproc.executors import OnnxExecutor, OnnxRuntime
from streamproc.runtime import attempt
from streamproc.testing import FakeExecutor

WIDTH = 512
PRODUCTS = 1_500
"""Of 32 x 512 x 512 each: some 0.3 ms, so that all of them take about half a second, and one is over soon."""
X = {"x": np.ones((32, WIDTH), np.float32)}
HOUR_NS = 3_600 * NS_PER_S
clock = SystemClock()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A chain of products, each with the same small matrix."""
    weight = numpy_helper.from_array(np.full((WIDTH, WIDTH), 1 / WIDTH, np.float32), "w")
    names = ["x", *(f"h{n}" for n in range(1, PRODUCTS)), "y"]
    nodes = [
        helper.make_node("MatMul", [before, "w"], [after]) for before, after in pairwise(names)
    ]
    shape = ["n", WIDTH]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [weight],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path_factory.mktemp("chain") / "chain.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="module")
def chain(path: Path) -> OnnxExecutor:
    return OnnxExecutor(str(path), OnnxRuntime())


def took_ns(chain: OnnxExecutor, until_ns: int | None) -> int:
    begun_ns = clock.now_ns()
    if until_ns is None:
        chain.run_by(X, None, None)
    else:
        with pytest.raises(ModelError, match="was stopped") as raised:
            chain.run_by(X, None, until_ns)
        assert raised.value.reason == Reason.STOPPED
    return clock.now_ns() - begun_ns


def test_a_run_is_stopped_at_its_time_and_not_much_later(chain: OnnxExecutor) -> None:
    whole_ns = min(took_ns(chain, None) for _ in range(2))
    stopped_ns = [took_ns(chain, clock.now_ns() + whole_ns // 20) for _ in range(3)]
    assert min(stopped_ns) < whole_ns / 2
    assert all(whole_ns // 20 <= ns for ns in stopped_ns)


def test_what_is_over_before_its_time_is_answered(chain: OnnxExecutor) -> None:
    outputs = chain.run_by(X, None, clock.now_ns() + HOUR_NS)
    np.testing.assert_allclose(outputs["y"], 1.0, rtol=1e-3)


def test_a_session_that_was_stopped_runs_again(chain: OnnxExecutor) -> None:
    took_ns(chain, clock.now_ns())
    np.testing.assert_allclose(chain.run(X)["y"], 1.0, rtol=1e-3)


def test_a_later_time_does_not_hide_a_nearer_one(chain: OnnxExecutor) -> None:
    """The watchdog sleeps until the later one when the nearer one comes."""
    chain._terminator.begin(chain._run_options(), clock.now_ns() + HOUR_NS)
    whole_ns = took_ns(chain, None)
    assert min(took_ns(chain, clock.now_ns() + whole_ns // 20) for _ in range(3)) < whole_ns / 2


def test_a_closed_executor_watches_no_more(path: Path) -> None:
    executor = OnnxExecutor(str(path), OnnxRuntime())
    took_ns(executor, clock.now_ns())
    watching = executor._terminator._thread
    assert watching is not None
    executor.close()
    watching.join(timeout=60)
    assert not watching.is_alive()


def test_what_can_be_saved_of_it_goes_to_the_cheaper_variant(chain: OnnxExecutor) -> None:
    """Of four events two can still be in time when the batch is stopped."""

    def cheap(inputs: Columns) -> Columns:
        return {"y": 2 * inputs["x"]}

    small = FakeExecutor(cheap, variant="small")
    now_ns = clock.now_ns()
    by_ns = np.array([now_ns, now_ns + HOUR_NS, now_ns + HOUR_NS, now_ns])
    rows = {"x": np.arange(4, dtype=np.float32)[:, np.newaxis] * np.ones((1, WIDTH), np.float32)}
    infer = Infer(1, 4, rows, stop=Stop(now_ns, by_ns, cheaper=[(1, NS_PER_S)]))
    ran = attempt([chain, small], infer, clock)
    assert isinstance(ran.outputs, Rescued)
    assert (ran.variant, small.sizes) == (1, [2])
    ((span, outputs),) = ran.outputs.done
    assert tuple(span) == (1, 3)
    np.testing.assert_array_equal(outputs["y"][:, 0], [2, 4])
    assert [(tuple(s), str(e)[:9]) for s, e in ran.outputs.failed] == [
        ((0, 1), "the model"),
        ((3, 4), "the model"),
    ]


def test_where_nothing_can_be_saved_nobody_is_asked(chain: OnnxExecutor) -> None:
    small = FakeExecutor(variant="small")
    now_ns = clock.now_ns()
    stop = Stop(now_ns, np.array([now_ns] * 32), cheaper=[(1, NS_PER_S)])
    ran = attempt([chain, small], Infer(1, 32, X, stop=stop), clock)
    assert isinstance(ran.outputs, ModelError)
    assert ran.outputs.reason == Reason.STOPPED
    assert (ran.variant, small.sizes) == (0, [])

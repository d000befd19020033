"""Training: the same function as onnxruntime computes, and weights that get better; skipped without jax."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from streamproc.core import ConfigError
from streamproc.modeling.differentiable import function_of
from streamproc.modeling.graphs import load_graph, tensors_of
from streamproc.modeling.inference import run_in_batches
from streamproc.modeling.pruning import pruned
from streamproc.modeling.training import Training, fit
from tests.modeling.conftest import CLASSES, events, network

pytest.importorskip("jax", reason="pip install 'streamproc[distill]'")

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "path", ["replay/sensor/teacher.onnx", "streamproc/templates/sensor/models/activity.onnx"]
)
def test_real_models_compute_what_onnxruntime_computes(path: str) -> None:
    model = load_graph(ROOT / path)
    x = np.random.default_rng(0).normal(size=(5, 100, 6)).astype(np.float32)
    mine = function_of(model)(tensors_of(model), x)
    np.testing.assert_allclose(mine, run_in_batches(model, {"window": x}), rtol=1e-3, atol=1e-5)


def test_a_normalised_network_computes_what_onnxruntime_computes() -> None:
    x = events(6)
    mine = function_of(network())(tensors_of(network()), x)
    np.testing.assert_allclose(mine, run_in_batches(network(), {"x": x}), rtol=1e-4, atol=1e-6)


def test_an_operator_that_cannot_be_trained_is_named() -> None:
    graph = helper.make_graph(
        [helper.make_node("Erf", ["x"], ["y"])],
        "erf",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
    )
    with pytest.raises(ConfigError, match="cannot train a model with the operators Erf"):
        function_of(helper.make_model(graph))


def _alike(model: onnx.ModelProto, x: np.ndarray, wanted: np.ndarray) -> float:
    return float((run_in_batches(model, {"x": x}).argmax(1) == wanted.argmax(1)).mean())


def test_a_pruned_model_learns_to_answer_as_the_full_one() -> None:
    x, unseen = events(256), events(256, seed=1)
    full = network(normalised=False)
    answers, wanted = (run_in_batches(full, {"x": given}) for given in (x, unseen))
    cut = pruned(full, 0.5)
    trained = fit(cut, x, answers, Training(epochs=15, batch_size=32, rate=5e-3))
    assert _alike(trained, unseen, wanted) > 0.55 > _alike(cut, unseen, wanted)


def test_labels_are_learned_and_what_is_fixed_stays() -> None:
    x, label = events(256), np.arange(256) % CLASSES
    targets = np.eye(CLASSES, dtype=np.float32)[label]
    options = Training(epochs=15, batch_size=32, rate=5e-3)
    trained = fit(network(), x, targets, options, fixed=("b0", "mean"))
    before, after = tensors_of(network()), tensors_of(trained)
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == before.keys() - {"b0", "mean"}
    before_it, after_it = (
        run_in_batches(model, {"x": events(256, seed=1)}).argmax(1) == label
        for model in (network(), trained)
    )
    assert after_it.mean() > 0.5 > before_it.mean(), "of four equally common ones"


def test_the_same_seed_gives_the_same_weights() -> None:
    x = events(64)
    targets = run_in_batches(network(), {"x": x})
    first, second = (fit(network(), x, targets, Training(epochs=1)) for _ in range(2))
    assert first == second

"""Several models in a row as one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from onnx import TensorProto, helper

from streamproc.core import ConfigError, ModelError, Reason, SystemClock, TensorSpec
from streamproc.executors import (
    ChainExecutor,
    ChainStage,
    Isolation,
    Model,
    ModelVariant,
    OnnxRuntime,
    Rules,
    Simulated,
    digest_of,
    load_executors,
    sweep,
)
from streamproc.testing import VirtualClock
from streamproc.testing.contracts import executor_contract
from tests.support.chains import ChainFiles, chain_files, expected
from tests.support.models import written

if TYPE_CHECKING:
    from pathlib import Path

    from streamproc.core import Columns, Executor

RAW = np.array([[1, 2, 3], [5, -1, 0], [0.5, 0.25, 8]], np.float32)


@pytest.fixture
def files(tmp_path: Path) -> ChainFiles:
    return chain_files(tmp_path)


def stages(files: ChainFiles) -> tuple[ChainStage, ...]:
    return (
        ChainStage(files.scale),
        ChainStage(files.linear, inputs={"x": "scaled"}),
        ChainStage(files.softmax, inputs={"logits": "y"}, outputs={"scores": "probability"}),
    )


def loaded(*chain: ChainStage, **options: object) -> Executor:
    (executor,) = load_executors(Model(chain=chain, **options), SystemClock())  # type: ignore[arg-type]
    return executor


def refused(*chain: ChainStage) -> tuple[str, str]:
    """The key and the words of what is wrong with a chain."""
    with pytest.raises(ConfigError) as caught:
        loaded(*chain)
    (problem,) = caught.value.problems
    return problem.key, problem.message


def test_what_one_gives_the_next_takes(files: ChainFiles) -> None:
    executor = loaded(*stages(files))
    made = executor.run({"raw": RAW})
    assert list(made) == ["probability"]
    assert np.allclose(made["probability"], expected(RAW), atol=1e-6)
    assert executor.info.inputs == (TensorSpec("raw", "float32", (3,)),)
    assert executor.info.outputs == (TensorSpec("probability", "float32", (2,)),)
    assert executor.info.runs_on == "CPUExecutionProvider"
    assert executor.info.batch_max is None


def test_it_keeps_the_contract_of_executors(files: ChainFiles) -> None:
    def inputs(size: int) -> Columns:
        numbers = np.arange(size * 3, dtype=np.float32) % 17
        return {"raw": numbers.reshape(size, 3)}

    executor_contract(lambda: loaded(*stages(files)), inputs)


def test_it_is_warmed_up_and_measured_as_a_whole(files: ChainFiles) -> None:
    sizes, times_ns = sweep(loaded(*stages(files)), size_max=4, clock=SystemClock())
    assert sizes == [1, 2, 4]
    assert min(times_ns) > 0


def test_a_stage_may_take_what_any_stage_before_gives_and_what_the_events_have(
    files: ChainFiles, tmp_path: Path
) -> None:
    float32 = TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("ReduceSum", ["wide", "axis"], ["total"], keepdims=1),
            helper.make_node("Mul", ["total", "gain"], ["louder"]),
            helper.make_node("Concat", ["louder", "also"], ["both"], axis=1),
        ],
        "join",
        [
            helper.make_tensor_value_info("wide", float32, ["n", 3]),
            helper.make_tensor_value_info("also", float32, ["n", 2]),
            helper.make_tensor_value_info("gain", float32, []),
        ],
        [helper.make_tensor_value_info("both", float32, ["n", 3])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )
    join = written(graph, tmp_path / "join.onnx")
    executor = loaded(
        ChainStage(files.scale),
        ChainStage(files.linear, inputs={"x": "scaled"}),
        ChainStage(join, inputs={"wide": "raw", "also": "y"}, constants={"gain": 2.0}),
    )
    assert [spec.name for spec in executor.info.inputs] == ["raw"]
    made = executor.run({"raw": RAW})["both"]
    assert np.array_equal(made[:, 0], RAW.sum(axis=1) * 2)


def test_the_digest_is_of_all_stages_in_their_order(files: ChainFiles) -> None:
    chain = stages(files)
    model = Model(chain=chain)
    (executor,) = load_executors(model, SystemClock())
    alone = [
        load_executors(Model(path), SystemClock())[0].info.digest
        for path in (files.scale, files.linear, files.softmax)
    ]
    assert list(executor.info.stages) == alone
    (variant,) = model.ladder
    assert digest_of(variant, Rules()) == executor.info.digest
    turned = replace(variant, chain=chain[::-1])
    assert digest_of(turned, Rules()) != executor.info.digest


@pytest.mark.parametrize(
    ("linear", "key", "words"),
    [
        ({"inputs": {"z": "scaled"}}, "model.chain[1].inputs.z", "no input 'z': it has x"),
        (
            {"inputs": {"x": "scaled"}, "outputs": {"z": "y"}},
            "model.chain[1].outputs.z",
            "no output 'z': it has y",
        ),
        ({}, "model.chain[0]", "no stage takes what this one gives (scaled)"),
        (
            {"inputs": {"x": "scaled"}, "outputs": {"y": "raw"}},
            "model.chain[1].outputs.y",
            "'raw' is given by the events already",
        ),
        (
            {"inputs": {"x": "scaled"}, "outputs": {"y": "scaled"}},
            "model.chain[1].outputs.y",
            "'scaled' is given by model.chain[0] already",
        ),
        (
            {"inputs": {"x": "scaled"}, "constants": {"gain": 1}},
            "model.chain[1].constants",
            "no input 'gain'",
        ),
    ],
)
def test_what_is_wired_wrongly_is_refused_with_its_place(
    linear: dict[str, dict[str, str]], key: str, words: str, files: ChainFiles
) -> None:
    found, message = refused(ChainStage(files.scale), ChainStage(files.linear, **linear))  # type: ignore[arg-type]
    assert found == key
    assert words in message


def test_what_does_not_fit_is_refused_with_both_sides(files: ChainFiles) -> None:
    key, message = refused(
        ChainStage(files.scale), ChainStage(files.softmax, inputs={"logits": "scaled"})
    )
    assert key == "model.chain[1].inputs.logits"
    assert message == (
        "'scaled' is float32[n, 3], as model.chain[0] gives it, but 'logits' takes float32[n, 2]"
    )


def test_what_the_files_do_not_say_is_seen_when_it_is_tried(
    files: ChainFiles, tmp_path: Path
) -> None:
    float32 = TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("ReduceMean", ["raw"], ["mean"], axes=[0], keepdims=1)],
        "of all",
        [helper.make_tensor_value_info("raw", float32, ["n", 3])],
        [helper.make_tensor_value_info("mean", float32, ["m", 3])],
    )
    path = written(graph, tmp_path / "mean.onnx", opset=13)
    key, message = refused(ChainStage(path), ChainStage(files.linear, inputs={"x": "mean"}))
    assert key == "model.chain[0].path"
    assert "of 2 events 'mean' has the shape [1, 3]" in message


def test_a_chain_is_a_variant_beside_a_file(files: ChainFiles, tmp_path: Path) -> None:
    whole = ModelVariant("full", chain=stages(files)[:2])
    small = ModelVariant("small", files.scale, quality=0.9)
    executors = load_executors(Model(variants=(whole, small)), SystemClock())
    assert [one.info.variant for one in executors] == ["full", "small"]
    assert executors[0].info.inputs == executors[1].info.inputs


def test_in_a_process_of_its_own_it_gives_the_same(files: ChainFiles) -> None:
    executor = loaded(*stages(files), isolation=Isolation(spare=False))
    try:
        made = executor.run({"raw": RAW})["probability"]
        assert np.allclose(made, expected(RAW), atol=1e-6)
        assert len(executor.info.stages) == 3
    finally:
        executor.close()


def test_a_pretended_device_gives_the_chains_answers(files: ChainFiles) -> None:
    executor = loaded(*stages(files), executor=Simulated())
    assert np.allclose(executor.run({"raw": RAW})["probability"], expected(RAW), atol=1e-6)


def test_no_stage_is_begun_once_its_time_is_up(files: ChainFiles) -> None:
    clock = VirtualClock()
    (executor,) = load_executors(Model(chain=stages(files)), clock)
    assert isinstance(executor, ChainExecutor)
    until_ns = clock.now_ns() + 10**9
    assert "probability" in executor.run_by({"raw": RAW}, None, until_ns)
    with pytest.raises(ModelError) as caught:
        executor.run_by({"raw": RAW}, None, clock.now_ns())
    assert caught.value.reason is Reason.STOPPED


def test_as_many_batches_at_a_time_as_the_least_of_its_stages(files: ChainFiles) -> None:
    first, *others = stages(files)
    two = OnnxRuntime(concurrency=2)
    assert loaded(first, *others, executor=two).concurrency == 2
    one = replace(first, executor=OnnxRuntime())
    assert loaded(one, *others, executor=two).concurrency == 1


def test_an_openvino_stage_stands_between_two_of_onnxruntime(files: ChainFiles) -> None:
    pytest.importorskip("openvino")
    from streamproc.executors import OpenVino  # noqa: PLC0415

    first, middle, last = stages(files)
    executor = loaded(first, replace(middle, executor=OpenVino()), last)
    assert executor.info.runs_on == "CPUExecutionProvider, OpenVINO CPU"
    assert np.allclose(executor.run({"raw": RAW})["probability"], expected(RAW), atol=1e-5)


@pytest.mark.parametrize(
    "beside", [{"path": "m.onnx"}, {"variants": (ModelVariant("v", "m.onnx"),)}]
)
def test_a_chain_stands_alone(beside: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="chain must not stand beside"):
        Model(chain=(ChainStage("a.onnx"),), **beside)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="path must not stand beside chain"):
        ModelVariant("v", "m.onnx", chain=(ChainStage("a.onnx"),))

"""Edge to cloud: a service whose small model answers here, and asks a server for what it is unsure of."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamproc.codecs import decode_decision
from streamproc.core import Duration, SystemClock
from streamproc.executors import Cascade, Model, ModelVariant, Remote, load_executors
from tests.engine.pipelines import within
from tests.runtime.test_service import World, until
from tests.support.oip_server import OipServer


def write(path: Path, more: float) -> str:
    """A model that gives its input and a number more, as the score of the first of two classes."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "more"], ["y"])],
        "score",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])],
        [numpy_helper.from_array(np.array([more], np.float32), "more")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, path)
    return str(path)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[OipServer]:
    with OipServer(write(tmp_path / "far.onnx", 0.4), binary=True) as server:
        yield server


def edge(cloud: OipServer, tmp_path: Path, *, budget: str) -> World:
    """Scores below 0.6 are unsure; the cloud's are 0.4 higher."""
    far = Remote(cloud.url("http"), timeout=Duration.parse("5s"), concurrency=2)
    variants = (
        ModelVariant("far", quality=1.0, executor=far),
        ModelVariant("near", write(tmp_path / "near.onnx", 0.0), quality=0.9),
    )
    model = Model(variants=variants, cascade=Cascade("y < 0.6"))
    executors = load_executors(model, SystemClock())
    return World(executor=list(executors), ends=False, model=model, deadline=within(budget))


def said(world: World) -> Counter[tuple[str, str, float]]:
    """How often which outcome was whose, and with which score."""
    found = [decode_decision(record.value or b"") for record in world.broker.records("decisions")]
    return Counter((d.outcome, d.model.variant, round(d.output[0], 2)) for d in found)  # type: ignore[index]


async def test_the_cloud_is_asked_where_the_edge_is_unsure(
    cloud: OipServer, tmp_path: Path
) -> None:
    world = edge(cloud, tmp_path, budget="30s")
    running = world.start()
    await until(lambda: len(world.source.owned) == 2)
    for n in range(100):
        world.broker.produce("ticks", {"x": (0.5, 0.9)[n % 2]}, partition=n % 2)
    await until(lambda: world.decided == 100)
    world.service.stop()
    await running
    assert said(world) == {("on_time", "near", 0.9): 50, ("on_time", "far", 0.9): 50}
    accounts = world.service.accounts()
    assert accounts is not None
    assert accounts.verdicts == {(1, "sure"): 50, (1, "escalated"): 50, (0, "sure"): 50}


async def test_a_cloud_that_does_not_answer_is_not_waited_for(
    cloud: OipServer, tmp_path: Path
) -> None:
    world = edge(cloud, tmp_path, budget="3s")
    running = world.start()
    await until(lambda: len(world.source.owned) == 2)
    cloud.behaviour.hold.clear()
    begun_s = time.monotonic()
    for n in range(40):
        world.broker.produce("ticks", {"x": (0.5, 0.9)[n % 2]}, partition=n % 2)
    await until(lambda: world.decided >= 20)  # those that are sure wait for nobody
    await until(lambda: world.decided == 40)
    assert time.monotonic() - begun_s < 30
    cloud.behaviour.hold.set()
    world.service.stop()
    await running
    found = said(world)
    assert found["on_time", "near", 0.9] == 20
    # On a busy machine they may be late: that they are not is shown in virtual time, in tests/engine/test_escalation.py.
    assert found["degraded", "near", 0.5] + found["late", "near", 0.5] == 20


async def test_a_cloud_that_is_gone_costs_nothing_but_its_answers(
    cloud: OipServer, tmp_path: Path
) -> None:
    world = edge(cloud, tmp_path, budget="20s")
    running = world.start()
    await until(lambda: len(world.source.owned) == 2)
    cloud.behaviour.status = 503
    for n in range(40):
        world.broker.produce("ticks", {"x": (0.5, 0.9)[n % 2]}, partition=n % 2)
    await until(lambda: world.decided == 40)
    world.service.stop()
    await running
    assert said(world) == {("on_time", "near", 0.9): 20, ("degraded", "near", 0.5): 20}
    accounts = world.service.accounts()
    assert accounts is not None
    assert accounts.verdicts == {(1, "sure"): 20, (1, "failed"): 20}

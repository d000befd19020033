"""Another model, or other scheduling, while the pipeline runs: nothing is lost, and on any failure what ran goes on."""

import asyncio
import contextlib
import json
import logging
import os
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from streamproc.codecs import JsonCodec
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import ConfigError, Duration, ExternalError, SystemClock
from streamproc.engine import Infer
from streamproc.executors import (
    Cascade,
    ChainStage,
    Golden,
    Model,
    ModelState,
    ModelVariant,
    OnnxExecutor,
    OnnxRuntime,
    PythonModel,
    Signature,
    Simulated,
    look_at,
)
from streamproc.executors.models import Rules
from streamproc.runtime import Pipeline, Service
from streamproc.runtime.driver import Driver
from streamproc.runtime.reload import check_reload
from streamproc.scheduling import Batching, Conflate, Expired, Lane, TailDrop
from streamproc.telemetry import Metrics, Telemetry
from streamproc.testing import MemoryBroker, MemorySink, MemorySource, assert_accounts
from tests.engine.pipelines import pipeline, within
from tests.executors.isolated import models
from tests.support.models import leaky_sum
from tests.support.signing import Keys, sign


def write(path: Path, factor: float, *, width: int = 1) -> str:
    """A model that multiplies by a factor, put in place by a rename; gives its digest."""
    graph = helper.make_graph(
        [helper.make_node("Mul", ["x", "f"], ["y"])],
        "times",
        [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n", width])],
        [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["n", width])],
        [numpy_helper.from_array(np.array([float(factor)]), "f")],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    put(path, made.SerializeToString())
    return look_at(str(path), Rules()).digest


def put(path: Path, content: bytes) -> None:
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)


class World:
    """A service with a model from a file, over a broker in memory."""

    def __init__(self, model: Model, **changes: Any) -> None:
        clock = SystemClock()
        self.broker = MemoryBroker({"ticks": 2, "decisions": 2, "p.dlq": 2}, clock=clock)
        self.source = MemorySource(self.broker, ["ticks"], group="p")
        self.config = pipeline(**({"model": model, "deadline": within("60s")} | changes))
        parts = self.config.parts(source=self.source, sink=MemorySink(self.broker), clock=clock)
        self.service = Service(self.config, parts)
        self.sent = 0

    def produce(self, count: int = 10) -> None:
        for _ in range(count):
            self.broker.produce(
                "ticks", {"x": 1.0}, partition=self.sent % 2, key=str(self.sent % 3)
            )
            self.sent += 1

    async def until_reloaded(self, results: dict[str, int]) -> None:
        async with asyncio.timeout(60):
            while self.reloads() != results:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def until_decided(self) -> None:
        async with asyncio.timeout(60):
            while len(self.broker.records("decisions")) < self.sent:  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    @property
    def decided_by(self) -> Counter[tuple[str, float]]:
        """How many decisions of each digest and output there are."""
        values = [json.loads(record.value or b"") for record in self.broker.records("decisions")]
        return Counter((v["model"]["digest"], v["output"][0]) for v in values)

    @property
    def decided(self) -> list[tuple[int, float]]:
        """The outputs, with the number of the event among all that were sent."""
        values = [json.loads(record.value or b"") for record in self.broker.records("decisions")]
        places = [tuple(map(int, v["id"].split("/")[1:])) for v in values]
        return [
            (2 * offset + partition, v["output"][0])
            for (partition, offset), v in zip(places, values, strict=True)
        ]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        task = asyncio.create_task(self.service.run())
        self.produce()
        await self.until_decided()
        yield self
        self.service.stop()
        summary = await task
        assert_accounts(summary)
        assert summary["consumed"] == self.sent
        assert len(self.broker.records("decisions")) == self.sent

    def reloads(self) -> dict[str, int]:
        states = self.service.gauges().model
        assert states is not None
        return dict(states.reloads)


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamproc.runtime.intake_loop.POLL_NS", 1_000_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.onnx"


# -- the model ----------------------------------------------------------------------------------------


async def test_a_new_model_decides_from_then_on(path: Path) -> None:
    before = write(path, 2)
    async with World(Model(str(path))).running() as world:
        after = write(path, 3)
        told = await world.service.reload()
        assert told["models"] == [{"variant": "full", "digest": after}]
        world.produce()
        await world.until_decided()
        assert world.decided_by == {(before, 2): 10, (after, 3): 10}
        assert [model.digest for model in world.service.models()] == [after]
        assert world.reloads() == {"done": 1}


async def test_under_load_no_event_is_lost_and_each_says_what_decided_it(path: Path) -> None:
    digests = {write(path, 2): 2.0}
    async with World(Model(str(path)), batching=Batching(max_size=4)).running() as world:
        for factor in (3, 4, 5):
            digests[write(path, factor)] = float(factor)
            reloading = asyncio.create_task(world.service.reload())
            while not reloading.done():
                world.produce(5)
                await asyncio.sleep(0.001)
            await reloading
            world.produce()
            # Without this the next model may come before this one had anything to decide.
            await world.until_decided()
        assert all(output == digests[digest] for digest, output in world.decided_by)
        assert len(world.decided_by) == 4


async def test_a_batch_that_is_handed_to_a_thread_is_run_by_the_model_that_it_was_formed_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write(path, 2)
    async with World(Model(str(path), OnnxRuntime(concurrency=2))).running() as world:
        after = write(path, 3)
        reloader: Any = world.service._reloader
        prepared = [await asyncio.to_thread(reloader._prepare, world.config)]
        infer = Driver._infer

        def and_reload(self: Driver, effect: Infer) -> None:
            """The reload comes between the batch and the first step of its task."""
            infer(self, effect)
            if prepared:
                reloader._put_in(prepared.pop(), [])

        monkeypatch.setattr(Driver, "_infer", and_reload)
        world.produce(1)
        await world.until_decided()
        world.produce(1)
        await world.until_decided()
        assert world.decided_by == {(before, 2): 11, (after, 3): 1}


async def test_a_batch_under_way_is_decided_by_the_model_that_it_began_with(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = write(path, 2)
    entered, go = asyncio.Event(), asyncio.Event()
    async with World(Model(str(path), OnnxRuntime(concurrency=2))).running() as world:
        loop, run = asyncio.get_running_loop(), OnnxExecutor.run
        closed: list[str] = []

        def slow(self: OnnxExecutor, inputs: Any) -> Any:
            if self.info.digest == before:
                loop.call_soon_threadsafe(entered.set)
                asyncio.run_coroutine_threadsafe(go.wait(), loop).result(20)
                assert not closed
            return run(self, inputs)

        monkeypatch.setattr(OnnxExecutor, "run", slow)
        monkeypatch.setattr(OnnxExecutor, "close", lambda self: closed.append(self.info.digest))
        world.produce(1)
        await entered.wait()
        after = write(path, 3)
        await world.service.reload()
        world.produce(1)
        go.set()
        await world.until_decided()
        assert world.decided_by == {(before, 2): 11, (after, 3): 1}
        async with asyncio.timeout(60):
            while closed != [before]:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


def half(path: Path) -> None:
    content = path.read_bytes()
    put(path, content[: len(content) // 2])


def gone(path: Path) -> None:
    path.unlink()


def linked(path: Path) -> None:
    path.rename(path.with_name("other.onnx"))
    path.symlink_to(path.with_name("other.onnx"))


def other_golden(path: Path) -> None:
    write(path, 7)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (half, "is no model that works here"),
        (lambda path: put(path, b""), "it is empty"),
        (lambda path: put(path, b"\x80\x04 a pickle"), "loading it could run any code"),
        (gone, "No such file"),
        (linked, "is a symbolic link"),
        (other_golden, "gives other outputs than the golden ones: 2 of 2 of 'y'"),
    ],
)
async def test_on_any_failure_what_ran_goes_on_and_one_line_says_why(
    path: Path, spoil: Callable[[Path], None], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    golden = path.with_name("golden.npz")
    np.savez(golden, x=np.array([[1.0], [2.0]]), y=np.array([[2.0], [4.0]]))
    before = write(path, 2)
    async with World(Model(str(path), golden=Golden(str(golden)))).running() as world:
        spoil(path)
        caplog.set_level(logging.WARNING)
        caplog.clear()
        with pytest.raises(ConfigError, match=words):
            await world.service.reload()
        (line,) = caplog.messages
        assert line.startswith("reload failed, what ran goes on: model.")
        world.produce()
        await world.until_decided()
        assert world.decided_by == {(before, 2): 20}
        assert world.reloads() == {"failed": 1}


async def test_another_kind_of_model_is_refused(path: Path) -> None:
    """The features are made for the one that ran."""
    before = write(path, 2)
    async with World(Model(str(path))).running() as world:
        write(path, 2, width=2)
        words = r"new model takes x float64\[n, 2\], the running one x float64\[n, 1\]"
        with pytest.raises(ConfigError, match=words):
            await world.service.reload()
        world.produce()
        await world.until_decided()
        assert world.decided_by == {(before, 2): 20}


async def test_another_model_begins_anew_and_the_same_one_goes_on(path: Path) -> None:
    """What one model carries means nothing to another; a reload of other settings is no other model."""
    leaky_sum(path)
    model = Model(
        str(path), constants={"gain": 1.0}, state=ModelState(inputs={"h": "hN"}, restore="none")
    )
    codec = JsonCodec(fields={"x": "float32"})
    async with World(model, codec=codec).running() as world:
        world.produce(6)
        await world.until_decided()
        await world.service.reload(replace(world.config, shed=()))
        world.produce(6)  # one of each of six keys: two partitions have three each
        await world.until_decided()
        leaky_sum(path, poison=667.0)
        await world.service.reload(world.config)
        world.produce(6)
        await world.until_decided()
        made = [y for _, y in sorted(world.decided)]
        assert min(made[-12:-6]) > 1.5  # none began anew
        assert made[-6:] == [1.0] * 6


async def test_a_watched_file_is_loaded_when_it_has_changed_and_only_then(path: Path) -> None:
    before = write(path, 2)
    model = Model(str(path), watch=Duration.parse("20ms"))
    async with World(model).running() as world:
        await asyncio.sleep(0.2)
        assert world.reloads() == {}
        half(path)
        await world.until_reloaded({"failed": 1})
        after = write(path, 3)
        await world.until_reloaded({"failed": 1, "done": 1})
        world.produce()
        await world.until_decided()
        assert world.decided_by == {(before, 2): 10, (after, 3): 10}


async def test_a_watch_that_a_reload_begins(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = write(path, 2)
    model = Model(str(path))
    monkeypatch.setattr("streamproc.runtime.reloader.UNWATCHED_NS", 1_000_000)
    async with World(model).running() as world:
        config = replace(world.config, model=replace(model, watch=Duration.parse("20ms")))
        await world.service.reload(config)
        after = write(path, 3)
        await world.until_reloaded({"done": 2})
        world.produce()
        await world.until_decided()
        assert world.decided_by == {(before, 2): 10, (after, 3): 10}


async def test_a_model_that_loads_and_cannot_run_does_not_end_the_watch(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = write(path, 2)
    model = Model(str(path), watch=Duration.parse("20ms"))
    async with World(model).running() as world:
        graph = helper.make_graph(
            [helper.make_node("Reshape", ["x", "shape"], ["y"])],
            "broken",
            [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n", 1])],
            [helper.make_tensor_value_info("y", TensorProto.DOUBLE, ["n", 1])],
            [numpy_helper.from_array(np.array([7, 1]), "shape")],
        )
        opsets = [helper.make_opsetid("", 17)]
        put(path, helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString())
        await world.until_reloaded({"failed": 1})
        after = write(path, 3)
        await world.until_reloaded({"failed": 1, "done": 1})
        world.produce()
        await world.until_decided()
        assert world.decided_by == {(before, 2): 10, (after, 3): 10}
    assert "reload failed, what ran goes on" in caplog.text


async def test_of_a_chain_all_stages_are_put_in_place_at_once(path: Path) -> None:
    second = path.with_name("second.onnx")
    write(path, 2)
    write(second, 3)
    stages = (ChainStage(str(path)), ChainStage(str(second), {"x": "y"}, {"y": "z"}))
    world = World(Model(chain=stages, watch=Duration.parse("5ms")))
    async with world.running():
        write(second, 5)
        await world.until_reloaded({"done": 1})
        world.produce()
        await world.until_decided()
        outputs = Counter(output for _, output in world.decided_by.elements())
        assert outputs == Counter({6: 10, 10: 10})
        assert len(world.decided_by) == 2, "each has a digest of its own"


async def test_a_new_model_is_taken_when_it_is_signed(
    path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = Keys(tmp_path_factory.mktemp("keys"))
    before = write(path, 2)
    sign(path, keys)
    signature = Signature(public_key=str(keys.path("ours.pub")))
    model = Model(str(path), signature=signature, watch=Duration.parse("20ms"))
    async with World(model).running() as world:
        after = write(path, 3)
        await world.until_reloaded({"failed": 1})
        world.produce()
        await world.until_decided()
        sign(path, keys)
        await world.until_reloaded({"failed": 1, "done": 1})
        world.produce()
        await world.until_decided()
        assert world.decided_by == {(before, 2): 20, (after, 3): 10}


async def test_an_isolated_model_is_reloaded_into_another_process() -> None:
    """A function is imported anew, as its process is a new one."""
    model = Model(executor=PythonModel(f"{models.__name__}:process"), isolation=True)
    async with World(model).running() as world:
        await world.service.reload()
        world.produce()
        await world.until_decided()
        pids = {int(output) for _, output in world.decided_by}
        assert len(pids) == 2
        assert os.getpid() not in pids


async def test_a_pipeline_that_has_not_started_says_so(path: Path) -> None:
    write(path, 2)
    world = World(Model(str(path)))
    with pytest.raises(ExternalError, match="not started"):
        await world.service.reload()


# -- the configuration --------------------------------------------------------------------------------


async def test_batching_shed_and_lane_budgets_change_and_the_model_goes_on(path: Path) -> None:
    write(path, 2)
    lanes = (Lane("top", when="x > 100", budget=Duration.parse("5s")),)
    async with World(Model(str(path)), lanes=lanes).running() as world:
        (executor,) = world.service._executors
        new = replace(
            world.config,
            shed=(Expired(), TailDrop(max_queue=3)),
            batching=Batching(policy="work_conserving", max_size=256),
            lanes=(replace(lanes[0], budget=Duration.parse("1s")),),
        )
        told = await world.service.reload(new)
        assert told["changed"] == ["batching", "shed", "lanes"]
        assert world.service._executors == (executor,)
        world.broker.produce("ticks", {"x": 200.0}, partition=0)
        world.sent += 1
        await world.until_decided()
        records = [json.loads(r.value or b"") for r in world.broker.records("decisions")]
        (urgent,) = [v for v in records if v["output"][0] == 400]
        assert urgent["deadline_ns"] - urgent["event_time_ns"] == 1_000_000_000


def refused(before: Pipeline, after: Pipeline) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        check_reload(before, after)
    return [problem.key for problem in raised.value.problems]


def test_a_cascade_is_what_it_was() -> None:
    def with_(unsure: str, *names: str) -> Pipeline:
        variants = tuple(
            ModelVariant(name, quality=1 - place / 10, executor=Simulated())
            for place, name in enumerate(names)
        )
        return pipeline(model=Model(variants=variants, cascade=Cascade(unsure)))

    before = with_("margin < 0.2", "full", "small")
    check_reload(before, with_("margin < 0.2", "full", "small"))
    for after in (
        with_("margin < 0.3", "full", "small"),
        with_("margin < 0.2", "full", "half", "small"),
        pipeline(),
    ):
        with pytest.raises(ConfigError, match=r"model\.cascade"):
            check_reload(before, after)


def test_what_a_reload_cannot_change_is_refused_by_key() -> None:
    before = pipeline()
    lane = Lane("top", when="x > 1")
    assert refused(before, pipeline(name="q", deadline=within("1s"))) == ["name", "deadline"]
    assert refused(before, pipeline(lanes=(lane,))) == ["lanes"]
    assert refused(before, pipeline(shed=(Conflate(),))) == ["shed"]
    assert refused(before, pipeline(batching=Batching(cost="x"))) == ["batching.cost"]
    carrying = Model("m.onnx", state=ModelState(inputs={"h": "hN"}, restore="none"))
    assert refused(pipeline(model=carrying), pipeline(model=Model("m.onnx"))) == ["model.state"]
    check_reload(before, pipeline(batching=Batching(max_size=3), shed=(Expired(),)))
    check_reload(pipeline(lanes=(lane,)), pipeline(lanes=(replace(lane, share=0.5),)))


def test_of_the_ends_only_credentials_may_change() -> None:
    def ends(topic: str = "decisions", **security: str) -> Pipeline:
        kafka = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN"} | security
        source = KafkaSource(topics=["ticks"], security=kafka)
        return pipeline(source=source, sink=KafkaSink(topic=topic, security=kafka))

    before = ends(sasl_plain_username="a", sasl_plain_password="one")
    check_reload(before, ends(sasl_plain_username="b", sasl_plain_password="two"))
    assert refused(before, ends(sasl_mechanism="SCRAM-SHA-512")) == [
        "source.kafka.security",
        "sink.kafka.security",
    ]
    assert refused(before, ends("others", sasl_plain_password="two")) == ["sink.kafka.topic"]
    token = replace(before, telemetry=Telemetry(metrics=Metrics(listen=None, token="t" * 16)))
    check_reload(before, token)
    elsewhere = replace(before, telemetry=Telemetry(metrics=Metrics(listen="127.0.0.1:1")))
    assert refused(before, elsewhere) == ["telemetry.metrics"]


def asked(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def test_a_reload_that_asks_for_another_token_is_obeyed_at_once(path: Path) -> None:
    write(path, 2)
    old, new = "token-of-yesterday", "token-of-today-and-on"
    telemetry = [Telemetry(metrics=Metrics(listen="127.0.0.1:0", token=t)) for t in (old, new)]
    world = World(Model(str(path)), telemetry=telemetry[0])
    address: list[str | None] = []
    world.service._on_ready = address.append

    async def status(token: str) -> int:
        return await asyncio.to_thread(asked, f"http://{address[0]}/api/status", token)

    async with world.running():
        assert [await status(old), await status(new)] == [200, 401]
        told = await world.service.reload(replace(world.config, telemetry=telemetry[1]))
        assert told["changed"] == ["telemetry.metrics.token"]
        assert [await status(old), await status(new)] == [401, 200]


async def test_a_refused_reload_is_counted_and_changes_nothing(path: Path) -> None:
    before = write(path, 2)
    async with World(Model(str(path))).running() as world:
        write(path, 3)
        with pytest.raises(ConfigError, match="key: a reload cannot change it"):
            await world.service.reload(replace(world.config, key="x"))
        world.produce()
        await world.until_decided()
        assert world.decided_by == {(before, 2): 20}
        assert world.reloads() == {"refused": 1}

"""Requests of the Open Inference Protocol before a running pipeline, over real sockets."""

import asyncio
import contextlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest

from streamproc.core import Columns, SystemClock, TensorSpec
from streamproc.executors import Cascade, Model, ModelVariant, Remote, RemoteExecutor, Simulated
from streamproc.scheduling import Batching
from streamproc.testing import FakeExecutor
from streamproc.web import Serve
from tests.runtime.test_service import World, until

MODEL = {
    "inputs": (TensorSpec("input", "float32", (1,)),),
    "outputs": (TensorSpec("output", "float32", (1,)),),
}
HOUR_US = 3_600_000_000


def doubled(**changes: Any) -> FakeExecutor:
    return FakeExecutor(lambda inputs: inputs["input"] * 2, **(MODEL | changes))


def serving(executor: Any = None, *, serve: Any = None, **changes: Any) -> World:
    front = Serve(listen="127.0.0.1:0", **(serve or {}))
    return World(executor=executor or doubled(), ends=False, serve=front, **changes)


@contextlib.asynccontextmanager
async def running(world: World) -> AsyncIterator[str]:
    """The address of its front door."""
    task = world.start()
    await until(lambda: world.service.front_door_address is not None or task.done())
    await until(lambda: len(world.source.owned) == 2 or task.done())
    try:
        yield f"http://{world.service.front_door_address}"
    finally:
        world.service.stop()
        await task


async def ask(
    url: str, content: Any = None, *, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """The status, and the JSON."""
    body = (
        content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
    )

    def call() -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(url, data=body, headers=headers or {})  # noqa: S310 - ours
        try:
            with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310 - ours
                return response.status, json.loads(response.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return await asyncio.to_thread(call)


def rows(*x: float, **more: Any) -> dict[str, Any]:
    tensor = {"name": "input", "shape": [len(x), 1], "datatype": "FP32", "data": list(x)}
    return {"inputs": [tensor], **more}


async def test_a_person_with_curl_finds_the_model_and_an_answer() -> None:
    async with running(serving()) as url:
        status, server = await ask(f"{url}/v2")
        assert (status, server["extensions"]) == (200, ["binary_tensor_data"])
        for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/p/ready"):
            assert (await ask(f"{url}{path}"))[0] == 200
        _, model = await ask(f"{url}/v2/models/p")
        assert model["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 1]}]
        assert model["outputs"] == [{"name": "output", "datatype": "FP32", "shape": [-1, 1]}]
        status, answer = await ask(f"{url}/v2/models/p/infer", rows(1, 2, 3, id="mine"))
        assert status == 200
        assert answer == {
            "model_name": "p",
            "id": "mine",
            "parameters": {"outcome": "on_time", "variant": "full"},
            "outputs": [
                {"name": "output", "datatype": "FP32", "shape": [3, 1], "data": [2.0, 4.0, 6.0]}
            ],
        }


async def test_requests_among_events_change_no_account_of_theirs() -> None:
    world = serving(batching=Batching(max_size=16))
    async with running(world) as url:
        asked = [ask(f"{url}/v2/models/p/infer", rows(*range(n, n + 20))) for n in range(20)]
        world.produce(400)
        answers = await asyncio.gather(*asked)
        await until(lambda: world.decided == 400)
    for n, (status, answer) in enumerate(answers):
        assert (status, answer["outputs"][0]["data"]) == (200, [2 * x for x in range(n, n + 20)])
    accounts = world.service.accounts()
    assert accounts is not None
    assert (accounts.consumed, accounts.fetched) == (400, 400)
    assert world.service._assembly is not None
    requests = world.service._assembly.engine.requests
    assert requests is not None
    assert (requests.counts, requests.waiting) == ({"on_time": 20}, 0)


async def test_our_own_client_finds_in_it_a_model_as_any_other() -> None:
    async with running(serving()) as url:

        def ask_as_executor() -> tuple[Columns, RemoteExecutor]:
            far = RemoteExecutor(Remote(f"{url}/v2/models/p"), clock=SystemClock())
            try:
                return far.run_by({"input": np.array([[1.5], [np.nan]], np.float32)}, None), far
            finally:
                far.close()

        outputs, far = await asyncio.to_thread(ask_as_executor)
    np.testing.assert_array_equal(outputs["output"], np.array([[3.0], [np.nan]], np.float32))
    assert (far.info.inputs, far.info.outputs) == (MODEL["inputs"], MODEL["outputs"])


async def test_what_cannot_be_in_time_is_refused_with_the_reason() -> None:
    """Where nothing has run for a while one is tried all the same, and is late: the scheduler's own probe."""
    hopeless = {(503, "expired"), (504, "late")}
    async with running(serving()) as url:
        infer = f"{url}/v2/models/p/infer"
        answers = [await ask(infer, rows(1, parameters={"timeout": 1})) for _ in range(2)]
        past = {"x-deadline-ns": str(SystemClock().now_ns() - 1)}
        answers.append(await ask(infer, rows(1), headers=past))
    assert {(status, answer["reason"]) for status, answer in answers} <= hopeless


async def test_an_answer_that_came_too_late_is_none() -> None:
    held = threading.Event()

    def slow(inputs: Columns) -> Columns:
        held.wait(60)
        return {"output": inputs["input"]}

    world = serving(FakeExecutor(slow, inline=False, **MODEL), shed=())
    held.set()
    async with running(world) as url:
        held.clear()
        asking = asyncio.create_task(
            ask(f"{url}/v2/models/p/infer", rows(1, parameters={"timeout": 50_000}))
        )
        await asyncio.sleep(0.2)
        held.set()
        status, answer = await asking
    assert (status, answer["reason"]) == (504, "late")


async def test_what_waits_at_the_end_is_told_so() -> None:
    held = threading.Event()

    def stuck(inputs: Columns) -> Columns:
        held.wait(60)
        return {"output": inputs["input"]}

    world = serving(FakeExecutor(stuck, inline=False, **MODEL))
    held.set()
    async with running(world) as url:
        held.clear()
        parameters = {"parameters": {"timeout": HOUR_US}}
        asking = asyncio.create_task(ask(f"{url}/v2/models/p/infer", rows(1, **parameters)))
        assert world.service._assembly is not None
        requests = world.service._assembly.engine.requests
        assert requests is not None
        await until(lambda: requests.waiting == 1)
        world.service.stop()
        status, answer = await asking
        held.set()
    assert (status, answer["reason"]) == (503, "stopping")


async def test_a_model_that_fails_is_not_the_requests_fault() -> None:
    executor = doubled()
    async with running(serving(executor)) as url:
        executor.fail(ValueError("no"), runs=99)
        status, answer = await ask(f"{url}/v2/models/p/infer", rows(1, 2))
        assert (status, answer["reason"], answer["error"]) == (
            500,
            "model_failed",
            "ValueError: no",
        )


async def test_a_cheaper_variant_says_so_and_so_does_a_cascade_that_is_unsure() -> None:
    variants = (
        ModelVariant("full", quality=1.0, executor=Simulated()),
        ModelVariant("small", quality=0.9, executor=Simulated()),
    )
    model = Model(variants=variants, cascade=Cascade("margin < 0.2"))
    executors = [doubled(), FakeExecutor(**MODEL, variant="small")]  # type: ignore[arg-type]
    async with running(serving(executors, model=model)) as url:
        infer = f"{url}/v2/models/p/infer"
        _, sure = await ask(infer, rows(0.9))
        _, unsure = await ask(infer, rows(0.55))
    assert sure["parameters"] == {"outcome": "on_time", "variant": "small"}
    assert unsure["parameters"] == {"outcome": "degraded", "variant": "small"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "the body is no JSON"),
        ({"in": 1}, '"inputs", a list of tensors'),
        ({"inputs": []}, "the input input FP32[rows, 1] is missing"),
        ({"inputs": [{"name": "input"}]}, "no 'datatype'"),
        (rows(), "all with the same number of rows, from 1 to 4"),
        (rows(1, 2, 3, 4, 5), "from 1 to 4"),
        (rows(1, parameters={"timeout": "soon"}), "timeout must be a number of us"),
        (
            {"inputs": [{"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]},
            "FP32[rows, 1] was given as FP32[1, 2]",
        ),
        (
            {"inputs": [{"name": "input", "shape": [1, 1], "datatype": "INT64", "data": [1]}]},
            "was given as INT64[1, 1]",
        ),
        (
            {"inputs": [{"name": "input", "shape": [3, 1], "datatype": "FP32", "data": [1]}]},
            "a tensor FP32 [3, 1] came with 1 elements",
        ),
        (
            {"inputs": [*rows(1)["inputs"], {**rows(1)["inputs"][0], "name": "other"}]},
            "the model takes input FP32[rows, 1]",
        ),
    ],
)
async def test_a_request_at_fault_is_told_what_is_wrong(content: Any, words: str) -> None:
    async with running(serving(serve={"max_rows": 4})) as url:
        status, answer = await ask(f"{url}/v2/models/p/infer", content)
    assert status == 400
    assert words in answer["error"]


async def test_rows_unlike_the_events_harm_nobody() -> None:
    """The model leaves a size open: what a stranger sends must not get into a batch of events."""
    held = threading.Event()

    def model(inputs: Columns) -> Columns:
        held.wait(60)
        return {"output": inputs["input"] * 2}

    world = serving(FakeExecutor(model, inline=False))
    held.set()

    def wide(width: int) -> dict[str, Any]:
        row = {"name": "input", "shape": [1, width], "datatype": "FP32", "data": [1.0] * width}
        return {"inputs": [row]}

    async with running(world) as url:
        infer = f"{url}/v2/models/p/infer"
        assert (await ask(infer, wide(3)))[0] == 200
        held.clear()
        assert world.service._assembly is not None
        requests = world.service._assembly.engine.requests
        assert requests is not None
        asking = [asyncio.create_task(ask(infer, wide(1)))]
        await until(lambda: requests.waiting == 1)
        await until(lambda: not world.service._assembly.engine.queue_depth)  # it runs
        asking += [asyncio.create_task(ask(infer, wide(width))) for width in (1, 2, 3)]
        await until(lambda: requests.waiting == 4)
        world.produce(6)
        await until(lambda: (books := world.service.accounts()) is not None and books.fetched == 6)
        held.set()
        answers = await asyncio.gather(*asking)
        await until(lambda: world.decided == 6)
        status, answer = await ask(infer, wide(2))
    assert [status for status, _ in answers] == [200, 200, 500, 500]
    assert [answer.get("reason") for _, answer in answers] == [None, None, "unlike", "unlike"]
    assert (status, answer["error"]) == (
        400, "the inputs are input float32[rows, 2], those of the events input float32[rows, 1]"
    )  # fmt: skip


async def test_what_is_too_much_or_elsewhere_is_refused() -> None:
    async with running(serving(serve={"max_waiting": 2, "max_body": 300})) as url:
        status, answer = await ask(f"{url}/v2/models/p/infer", rows(1, 2, 3))
        assert (status, answer["reason"]) == (503, "too_many")
        assert (await ask(f"{url}/v2/models/p/infer", b"[" * 301))[0] == 413
        status, answer = await ask(f"{url}/v2/models/q/infer", rows(1))
        assert (status, answer["error"]) == (404, "there is no model 'q', only 'p'")
        status, answer = await ask(f"{url}/v2/models/p/infer")
        assert status == 405
        assert "POST /v2/models/NAME/infer" in answer["error"]
        assert "GET /v2" in (await ask(f"{url}/"))[1]["error"]
        status, answer = await ask(f"{url}/v2/models/p/versions/1/infer", rows(1))
        assert (status, "no versions in the path" in answer["error"]) == (404, True)
        packed = {"content-encoding": "gzip"}
        assert (await ask(f"{url}/v2/models/p/infer", rows(1), headers=packed))[0] == 415
        wanted = {"outputs": [{"name": "nothing"}]}
        status, answer = await ask(f"{url}/v2/models/p/infer", rows(1, **wanted))
        assert (status, answer["error"]) == (400, "the model has no output 'nothing', only output")


async def test_a_page_in_a_browser_needs_the_token_as_others_do_where_one_is_set() -> None:
    async with running(serving()) as url:
        headers = {"origin": "http://elsewhere"}
        assert (await ask(f"{url}/v2/models/p/infer", rows(1), headers=headers))[0] == 403
    token = "0123456789abcdef"
    async with running(serving(serve={"token": token})) as url:
        assert (await ask(f"{url}/v2/models/p/infer", rows(1)))[0] == 401
        headers = {"authorization": f"Bearer {token}"}
        assert (await ask(f"{url}/v2/models/p/infer", rows(1), headers=headers))[0] == 200


async def test_a_closed_door_takes_nothing() -> None:
    world = World()
    await world.run()
    assert world.service.front_door_address is None
    assert world.service._assembly is not None
    assert world.service._assembly.engine.requests is None

"""The remote executor against a server in this process: what it answers, and what it does when the server does not."""

import contextlib
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest

from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    ConfigError,
    Duration,
    ExternalError,
    ModelError,
    ModelInfo,
    Reason,
    SystemClock,
    TensorSpec,
    TimedExecutor,
)
from streamproc.executors import Breaker, Remote, RemoteExecutor
from streamproc.executors.remote.errors import BusyError, RefusedError
from streamproc.testing.contracts import executor_contract
from tests.executors.conftest import BIAS, WEIGHTS, MakeModel, linear
from tests.support.oip_server import OipServer

LONG = Duration(60 * NS_PER_S)
X = {"x": np.arange(6, dtype=np.float32).reshape(2, 3)}
WANTED = X["x"] @ WEIGHTS + BIAS
LIKE = ModelInfo(
    "local", "d", (TensorSpec("x", "float32", (3,)),), (TensorSpec("y", "float32", (2,)),)
)


@pytest.fixture
def server(make_model: MakeModel) -> Iterator[OipServer]:
    with OipServer(make_model(linear("n"))) as server:
        yield server


@pytest.fixture(params=["http", "grpc"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Opened:
    """Makes executors, and closes them."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.made: list[RemoteExecutor] = []

    def __call__(
        self, url: str, expected: ModelInfo | None = None, **options: Any
    ) -> RemoteExecutor:
        options = {"timeout": LONG, **options}
        made = RemoteExecutor(Remote(url, **options), clock=self.clock, expected=expected)
        self.made.append(made)
        return made


@pytest.fixture
def opened() -> Iterator[Opened]:
    opened = Opened()
    yield opened
    for executor in opened.made:
        executor.close()


def unavailable(executor: RemoteExecutor, deadline_ns: int | None = None) -> str:
    with pytest.raises(ModelError) as raised:
        executor.run_by(X, deadline_ns)
    assert raised.value.reason == Reason.MODEL_UNAVAILABLE
    return raised.value.detail


@pytest.mark.parametrize("binary", [False, True])
def test_it_keeps_the_contract_of_an_executor(
    make_model: MakeModel, scheme: str, binary: bool
) -> None:
    with OipServer(make_model(linear("n")), binary=binary) as server:
        options = Remote(server.url(scheme), timeout=LONG)
        executor_contract(
            lambda: RemoteExecutor(options, clock=SystemClock()),
            lambda n: {"x": np.arange(3 * n, dtype=np.float32).reshape(n, 3)},
        )


def test_it_says_what_the_server_says(server: OipServer, scheme: str, opened: Opened) -> None:
    executor = opened(server.url(scheme))
    assert isinstance(executor, TimedExecutor)
    info = executor.info
    assert info.inputs == (TensorSpec("x", "float32", (3,)),)
    assert info.outputs == (TensorSpec("y", "float32", (2,)),)
    assert info.runs_on.endswith("(onnx 1)")
    assert not executor.inline


def test_the_deadline_is_passed_on(server: OipServer, scheme: str, opened: Opened) -> None:
    executor = opened(server.url(scheme), reserve=Duration(5 * NS_PER_S))
    deadline_ns = opened.clock.now_ns() + 20 * NS_PER_S
    outputs = executor.run_by(X, deadline_ns)
    np.testing.assert_allclose(outputs["y"], WANTED)
    (seen,) = server.behaviour.seen
    assert seen["x-deadline-ns"] == str(deadline_ns)
    assert 0 < int(seen["timeout"]) <= 15_000_000, "in microseconds, without the reserve"
    if scheme == "grpc":
        assert 0 < float(seen["time_remaining"]) <= 15.5


def test_a_slow_server_is_given_up_before_the_deadline(
    server: OipServer, scheme: str, opened: Opened
) -> None:
    executor = opened(server.url(scheme), reserve=Duration(20 * NS_PER_MS))
    server.behaviour.hold.clear()
    deadline_ns = opened.clock.now_ns() + 200 * NS_PER_MS
    unavailable(executor, deadline_ns)
    # It gives up 20 ms before the deadline; a busy machine may be seconds late, the server would take 30.
    assert opened.clock.now_ns() - deadline_ns < 10 * NS_PER_S


def test_what_is_late_already_has_the_whole_timeout(
    server: OipServer, scheme: str, opened: Opened
) -> None:
    executor = opened(server.url(scheme))
    np.testing.assert_allclose(executor.run_by(X, opened.clock.now_ns() - 1)["y"], WANTED)


def test_no_time_left_means_no_request(server: OipServer, scheme: str, opened: Opened) -> None:
    executor = opened(server.url(scheme), reserve=Duration(NS_PER_S))
    detail = unavailable(executor, opened.clock.now_ns() + NS_PER_S // 2)
    assert "no time left" in detail
    assert not server.behaviour.seen


def test_a_busy_server_is_asked_again(server: OipServer, scheme: str, opened: Opened) -> None:
    executor = opened(server.url(scheme), retries=2)
    server.behaviour.status, server.behaviour.code = 503, grpc.StatusCode.UNAVAILABLE
    server.behaviour.statuses_left = 2
    np.testing.assert_allclose(executor.run(X)["y"], WANTED)
    assert server.behaviour.statuses_left < 0


def test_a_replica_answers_for_a_busy_one(
    server: OipServer, scheme: str, opened: Opened, make_model: MakeModel
) -> None:
    with OipServer(make_model(linear("n"))) as other:
        executor = opened(server.url(scheme), replicas=(other.url(scheme),))
        server.behaviour.status, server.behaviour.code = 503, grpc.StatusCode.UNAVAILABLE
        np.testing.assert_allclose(executor.run(X)["y"], WANTED)
        assert len(other.behaviour.seen) == 1


def test_a_slow_answer_is_hedged(
    server: OipServer, scheme: str, opened: Opened, make_model: MakeModel
) -> None:
    with OipServer(make_model(linear("n"))) as other:
        executor = opened(server.url(scheme), replicas=(other.url(scheme),), hedge=True)
        for _ in range(20):
            executor.run(X)
        hedged = executor.hedged_total
        server.behaviour.hold.clear()
        np.testing.assert_allclose(executor.run(X)["y"], WANTED)
        assert executor.hedged_total == hedged + 1
        assert other.behaviour.seen


def test_a_request_at_fault_is_told_and_opens_no_breaker(
    server: OipServer, scheme: str, opened: Opened
) -> None:
    executor = opened(server.url(scheme), breaker=Breaker(failures=1))
    for _ in range(3):
        with pytest.raises(RefusedError):
            executor.run({"x": np.zeros((1, 4), np.float32)})
    np.testing.assert_allclose(executor.run(X)["y"], WANTED)


@pytest.mark.parametrize(
    "changes",
    [
        lambda outputs: {"z": outputs["y"]},
        lambda outputs: {"y": outputs["y"][:1]},
        lambda outputs: {"y": outputs["y"].astype(np.float64)},
        lambda outputs: {"y": outputs["y"][:, :1]},
    ],
    ids=["name", "rows", "type", "shape"],
)
def test_a_wrong_answer_is_none(
    server: OipServer, scheme: str, opened: Opened, changes: Any
) -> None:
    executor = opened(server.url(scheme))
    server.behaviour.changes = changes
    assert "it answered" in unavailable(executor)


def test_a_server_that_fails_is_left_alone(server: OipServer, scheme: str, opened: Opened) -> None:
    pause = Duration(100 * NS_PER_MS)
    executor = opened(server.url(scheme), retries=0, breaker=Breaker(failures=2, pause=pause))
    server.behaviour.status, server.behaviour.code = 503, grpc.StatusCode.UNAVAILABLE
    unavailable(executor)
    unavailable(executor)
    assert executor.health().breaker in ("open", "half_open")
    assert executor.health().ready == 0
    server.behaviour.status, server.behaviour.code = 200, grpc.StatusCode.OK
    until_ns = opened.clock.now_ns() + 30 * NS_PER_S
    while opened.clock.now_ns() < until_ns and executor.health().breaker != "closed":
        with contextlib.suppress(ModelError):  # until the pause is over
            executor.run(X)
    assert executor.health().breaker == "closed"
    assert executor.health().opened_total == 1


def test_a_server_that_always_fails_is_left_alone(
    server: OipServer, scheme: str, opened: Opened
) -> None:
    executor = opened(server.url(scheme), breaker=Breaker(failures=2))
    server.behaviour.status, server.behaviour.code = 500, grpc.StatusCode.INTERNAL
    for _ in range(2):
        with pytest.raises(RefusedError):
            executor.run(X)
    assert "left alone" in unavailable(executor)


def test_another_model_is_refused_at_the_start(
    server: OipServer, scheme: str, opened: Opened
) -> None:
    other = ModelInfo("local", "d", (TensorSpec("x", "float32", (4,)),))
    with pytest.raises(ConfigError, match=r"takes x float32\[n, 3\], the other variants x float32"):
        opened(server.url(scheme), other)
    with pytest.raises(ConfigError, match="does not serve the model") as raised:
        opened(server.url(scheme, "another"))
    assert raised.value.problems[0].key == "model.executor.remote.url"


def test_a_server_that_is_down_at_the_start(
    scheme: str, opened: Opened, make_model: MakeModel
) -> None:
    with OipServer(make_model(linear("n"))) as gone:
        url = gone.url(scheme)
    with pytest.raises(ExternalError, match=r"cannot be asked: .*start its server, or put another"):
        opened(url)
    executor = opened(url, LIKE, retries=0)
    assert executor.info.inputs == LIKE.inputs
    unavailable(executor)


def test_a_server_that_comes_later_is_looked_at_before_it_decides(
    server: OipServer, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = server.described
    monkeypatch.setattr(server, "described", lambda: {"inputs": "nothing"})
    with monkeypatch.context() as patch:
        patch.setattr("streamproc.executors.remote.http.HttpTransport.describe", _busy)
        right = opened(server.url("http"), LIKE)
        wrong = opened(server.url("http"), LIKE)
    monkeypatch.setattr(server, "described", described)
    np.testing.assert_allclose(right.run(X)["y"], WANTED)
    other = [{"name": "x", "datatype": "FP32", "shape": [-1, 9]}]
    monkeypatch.setattr(server, "described", lambda: described() | {"inputs": other})
    for _ in range(2):
        assert "its model takes x float32[n, 9]" in unavailable(wrong)
    assert len(server.behaviour.seen) == 1


def _busy(*_: object) -> object:
    raise BusyError("down")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("localhost:8080", "must be http://HOST:PORT/v2/models/NAME"),
        ("http://localhost:8080", "must be http://HOST:PORT/v2/models/NAME"),
        ("ftp://localhost/v2/models/a", "must be http://HOST:PORT/v2/models/NAME"),
    ],
)
def test_an_address_without_a_model(url: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Remote(url)


def test_an_address_with_a_version() -> None:
    (address,) = Remote("grpc://h:1/v2/models/tick/versions/3").addresses
    assert address == ("grpc", "h:1", "tick", "3")

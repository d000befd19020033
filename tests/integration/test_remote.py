"""A model on MLServer, a real Open Inference Protocol server: answers, deadlines, and a server that is slow or gone.

Needs MLServer in an environment of its own (its pins are others): ``make oip-server``, or ``MLSERVER_PY``.
"""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import urllib3

from streamproc.core import NS_PER_MS, NS_PER_S, ConfigError, Duration, SystemClock
from streamproc.engine import Infer
from streamproc.executors import (
    Breaker,
    Model,
    ModelVariant,
    Remote,
    RemoteExecutor,
    load_executors,
)
from streamproc.runtime.inference import Ran, attempt
from streamproc.testing.contracts import executor_contract
from tests.executors.conftest import BIAS, WEIGHTS, linear
from tests.support.models import written
from tests.support.processes import Background, free_port, wait_until

ROOT = Path(__file__).parents[2]
PYTHON = Path(os.environ.get("MLSERVER_PY", ROOT / ".cache/oip-server/bin/python"))
LONG = Duration(60 * NS_PER_S)

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason="no MLServer here: make oip-server, or set MLSERVER_PY"
)


class MlServer:
    """MLServer with one model."""

    def __init__(self, folder: Path) -> None:
        self.model = written(linear("n"), folder / "tick.onnx")
        self.ports = {"http": free_port(), "grpc": free_port()}
        settings = {
            "host": "127.0.0.1",
            "http_port": self.ports["http"],
            "grpc_port": self.ports["grpc"],
            "metrics_port": free_port(),
            "parallel_workers": 0,
            "debug": False,
        }
        model = {
            "name": "tick",
            "implementation": "mlserver_onnx.Onnx",
            "parameters": {"uri": self.model},
        }
        home = folder / "served"
        home.mkdir()
        (home / "settings.json").write_text(json.dumps(settings))
        (home / "model-settings.json").write_text(json.dumps(model))
        self.program = Background(
            [PYTHON.parent / "mlserver", "start", home],
            log=folder / "mlserver.log",
            env={"PYTHONPATH": str(ROOT / "tests/support")},
        )
        ready = f"http://127.0.0.1:{self.ports['http']}/v2/models/tick/ready"
        wait_until(
            "MLServer has the model",
            lambda: urllib3.request("GET", ready, retries=False, timeout=5).status == 200,
            timeout_s=300,
        )

    def url(self, scheme: str) -> str:
        return f"{scheme}://127.0.0.1:{self.ports[scheme]}/v2/models/tick"

    def signal(self, number: int) -> None:
        os.killpg(self.program.pid, number)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlServer]:
    server = MlServer(tmp_path_factory.mktemp("mlserver"))
    yield server
    server.signal(signal.SIGCONT)
    server.program.stop()


@pytest.fixture(params=["http", "grpc"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_keeps_the_contract_of_an_executor(server: MlServer, scheme: str) -> None:
    options = Remote(server.url(scheme), timeout=LONG)
    executor_contract(
        lambda: RemoteExecutor(options, clock=SystemClock()),
        lambda n: {"x": np.arange(3 * n, dtype=np.float32).reshape(n, 3)},
    )


def test_another_model_there_is_refused(server: MlServer, scheme: str, tmp_path: Path) -> None:
    wide = written(linear("n", columns=4), tmp_path / "wide.onnx")
    variants = (
        ModelVariant("far", executor=Remote(server.url(scheme))),
        ModelVariant("near", wide, quality=0.9),
    )
    with pytest.raises(ConfigError, match="its model takes x float32"):
        load_executors(Model(variants=variants), SystemClock())


def test_a_server_that_stands_still_or_is_gone_costs_no_deadline(
    server: MlServer, scheme: str
) -> None:
    """The remote variant decides while it can; while it cannot, the local one does, within the deadline."""
    breaker = Breaker(failures=1, pause=Duration(20 * NS_PER_MS))
    second = Duration(NS_PER_S)
    far = Remote(server.url(scheme), timeout=LONG, reserve=second, retries=0, breaker=breaker)
    variants = (ModelVariant("far", executor=far), ModelVariant("near", server.model, quality=0.9))
    clock = SystemClock()
    executors = load_executors(Model(variants=variants), clock)
    x = np.arange(12, dtype=np.float32).reshape(4, 3)

    def decided(budget_ns: int) -> tuple[Ran, int]:
        deadline_ns = clock.now_ns() + budget_ns
        ran = attempt(executors, Infer(1, 4, {"x": x}, 0, deadline_ns), clock)
        assert isinstance(ran.outputs, dict)
        np.testing.assert_allclose(ran.outputs["y"], x @ WEIGHTS + BIAS, rtol=1e-5)
        return ran, clock.now_ns() - deadline_ns

    try:
        assert decided(60 * NS_PER_S)[0].variant == 0
        server.signal(signal.SIGSTOP)
        ran, after_ns = decided(2 * NS_PER_S)
        assert ran.variant == 1
        assert after_ns < 0, "the local variant answered within the deadline"
        assert decided(2 * NS_PER_S)[0].variant == 1, "the breaker is open, or asks once more"
        server.signal(signal.SIGCONT)
        wait_until("the server decides again", lambda: decided(60 * NS_PER_S)[0].variant == 0, 120)
    finally:
        server.signal(signal.SIGCONT)
        for executor in executors:
            executor.close()

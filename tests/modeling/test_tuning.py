"""Settings, found on a machine whose times are made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from streamproc.executors import OnnxRuntime
from streamproc.modeling.pairs import Took
from streamproc.modeling.tuning import AGAIN, Tuned, candidates, settings_text, tune

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from streamproc.core import Columns

    Cost = Callable[[OnnxRuntime, int], float]

NOW = OnnxRuntime()


class Machine:
    """Runs nothing, and takes what a formula says, with noise of one part in a hundred."""

    def __init__(self, cost: Cost, *, drift: float = 0.0) -> None:
        self.cost = cost
        self.drift = drift
        self.generator = np.random.default_rng(5)
        self.asked: list[float] = []

    def load(self, options: OnnxRuntime) -> Callable[[Columns], Columns]:
        def run(inputs: Columns) -> Columns:
            self.asked.append(self.cost(options, len(inputs["x"])))
            return {}

        return run

    def measure(self, runs: Mapping[str, Callable[[], object]]) -> dict[str, Took]:
        took = {}
        for place, (name, run) in enumerate(runs.items()):
            run()
            noise = self.generator.normal(1, 0.01, size=30) * (1 + self.drift * place)
            ns = np.rint(self.asked[-1] * noise * 1e3).astype(np.int64)
            took[name] = Took(ns, ns * 2)
        return took


def tuned(machine: Machine, *, sizes: tuple[int, ...] = (1, 32), cores: int = 4) -> Tuned:
    return tune(
        machine.load,
        lambda size: {"x": np.zeros(size, np.float32)},
        sizes,
        now=NOW,
        cores=cores,
        size_max=64,
        measure=machine.measure,
        say=lambda _: None,
    )


def threads_help(options: OnnxRuntime, size: int) -> float:
    spun = 1.0 if options.spinning or options.intra_op_threads == 1 else 1.3
    return 1_000 * size / options.intra_op_threads * spun + 1_000


def test_what_surely_helps_is_taken_and_measured_once_more() -> None:
    found = tuned(Machine(threads_help))
    assert found.options == OnnxRuntime(intra_op_threads=4)
    assert [trial.name for trial in found.confirmed] == [AGAIN, "all that helped"]
    assert found.confirmed[-1].wall[32].verdict == "quicker"
    assert not found.noisy


def test_settings_that_help_alone_go_together() -> None:
    def cost(options: OnnxRuntime, size: int) -> float:
        return threads_help(options, size) * (1.0 if options.arena else 0.5)

    found = tuned(Machine(cost))
    assert found.options == OnnxRuntime(intra_op_threads=4, arena=False)
    text = msgspec.yaml.decode(settings_text(found, NOW))
    assert text["model"] == {"executor": {"onnxruntime": {"intra_op_threads": 4, "arena": False}}}


def test_what_helps_one_size_and_harms_another_is_not_taken() -> None:
    def cost(options: OnnxRuntime, size: int) -> float:
        return 1_000 * size * (0.5 if size > 1 else 2.0 if options.intra_op_threads > 1 else 1.0)

    assert tuned(Machine(cost)).options == NOW


def test_noise_changes_nothing() -> None:
    found = tuned(Machine(lambda _, size: 1_000.0 * size))
    assert found.options == NOW
    assert not found.confirmed
    assert all(trial.wall[1].verdict == "none" for trial in found.trials)
    assert msgspec.yaml.decode(settings_text(found, NOW))["model"] == {
        "executor": {"onnxruntime": {}}
    }


def test_on_a_machine_that_is_not_as_quick_as_itself_nothing_is_believed() -> None:
    found = tuned(Machine(threads_help, drift=0.1))
    assert found.noisy
    assert found.options == NOW


def test_larger_batches_that_make_an_event_no_cheaper_are_not_asked_for() -> None:
    found = tuned(Machine(lambda _, size: 1_000.0 + 50 * max(size, 16)))
    assert found.max_size == 64
    flat = tuned(Machine(lambda _, size: 100.0 * size + (900 if size < 8 else 0)))
    assert flat.max_size == 8


def test_all_settings_are_tried_that_this_machine_can_have() -> None:
    names = set(candidates(NOW, cores=6))
    assert {"2 threads", "4 threads", "6 threads, not spinning"} <= names
    assert {"no arena", "graph: none", "parallel operators"} <= names
    assert not {name for name in candidates(NOW, cores=1) if "thread" in name or "parallel" in name}

"""A model in a process of its own: it may die of anything, and the next batch is answered."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest

from streamproc.core import (
    Columns,
    ConfigError,
    Duration,
    Executor,
    ModelError,
    Reason,
    Size,
    SystemClock,
)
from streamproc.engine import rescue
from streamproc.executors import (
    Breaker,
    IsolatedExecutor,
    Isolation,
    Model,
    OnnxRuntime,
    PythonModel,
    load_executors,
)
from streamproc.executors.isolated.life import ModelRaisedError
from streamproc.testing.contracts.executor import EXECUTOR_CHECKS, executor_contract
from tests.executors.conftest import BIAS, WEIGHTS, MakeModel, linear
from tests.executors.isolated import models
from tests.support import wait_until

Make = Callable[..., IsolatedExecutor]


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes an isolated executor of a function of ``models``, or of a file."""
    made: list[Executor] = []

    def start(function: str = "double", **options: Any) -> IsolatedExecutor:
        return load(
            Model(
                executor=PythonModel(f"{models.__name__}:{function}"),
                isolation=Isolation(**options),
            )
        )

    def load(model: Model) -> IsolatedExecutor:
        (executor,) = load_executors(model, SystemClock())
        assert isinstance(executor, IsolatedExecutor)
        made.append(executor)
        return executor

    start.load = load  # type: ignore[attr-defined]
    yield start
    for executor in made:
        executor.close()


def batch(*values: float) -> Columns:
    return {"x": np.array(values)[:, np.newaxis]}


def answers(executor: Executor) -> bool:
    return executor.run(batch(1, 2))["output"].tolist() == [[2], [4]]


@pytest.mark.parametrize("check", EXECUTOR_CHECKS, ids=lambda check: check.__name__)
def test_a_function_keeps_the_contract(check: Any, make: Make) -> None:
    check(make(), lambda n: {"x": np.arange(n * 2, dtype=np.float32).reshape(n, 2)})


def test_a_model_file_keeps_the_contract(make_model: MakeModel, make: Any) -> None:
    path = make_model(linear("batch"))
    model = Model(path, OnnxRuntime(concurrency=2), isolation=Isolation(spare=False))
    executor_contract(
        lambda: make.load(model),
        lambda n: {"x": np.arange(n * 3, dtype=np.float32).reshape(n, 3)},
    )


def test_it_computes_and_is_what_it_is_in_this_process(make_model: MakeModel, make: Any) -> None:
    model = Model(make_model(linear("batch")), isolation=True)
    (here,) = load_executors(Model(model.path), SystemClock())
    there = make.load(model)
    assert there.info == here.info
    assert not there.inline
    rows = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_allclose(there.run({"x": rows})["y"], rows @ WEIGHTS + BIAS, rtol=1e-6)


def test_large_batches_and_small_ones_by_turns(make: Make) -> None:
    executor = make("kinds", spare=False)
    for rows in (1, 50_000, 2, 200_000):
        sent = np.arange(rows * 4.0).reshape(rows, 4)
        np.testing.assert_array_equal(executor.run({"x": sent})["x"], sent)


@pytest.mark.parametrize(
    ("poison", "reason", "words"),
    [
        (models.SEGFAULT, "model_crashed", "was killed by SIGSEGV"),
        (models.ABORT, "model_crashed", "was killed by SIGABRT"),
        (models.HANG, "model_timeout", "no answer within 500ms"),
    ],
)
def test_whatever_it_dies_of_the_next_batch_is_answered(
    make: Make, poison: float, reason: str, words: str
) -> None:
    executor = make(timeout=Duration.parse("500ms"))
    with pytest.raises(ModelError, match=words) as raised:
        executor.run(batch(1, poison))
    assert raised.value.reason == reason
    assert answers(executor)
    assert wait_until("ready", lambda: executor.health().ready == 2)
    assert executor.health().restarts == 1


def test_a_leak_ends_at_its_limit(make: Make) -> None:
    executor = make(memory_limit=Size.parse("512MiB"), timeout=Duration.parse("60s"))
    with pytest.raises(ModelError, match="memory_limit is 512MiB") as raised:
        executor.run(batch(models.LEAK))
    assert raised.value.reason == Reason.MODEL_CRASHED
    assert answers(executor)


def test_an_exception_is_told_and_costs_no_process(make: Make) -> None:
    executor = make(spare=False)
    with pytest.raises(ModelRaisedError, match="ValueError: no such number"):
        executor.run(batch(models.RAISE))
    assert answers(executor)
    assert executor.health().restarts == 0


def test_a_poison_record_is_found(make: Make) -> None:
    executor = make()
    inputs = batch(*range(20), models.SEGFAULT, *range(11))
    with pytest.raises(ModelError) as raised:
        executor.run(inputs)
    found = rescue(executor.run, inputs, 32, raised.value)
    assert [span for span, _ in found.failed] == [(20, 21)]
    assert sum(len(outputs["output"]) for _, outputs in found.done) == 31
    assert executor.health().breaker == "closed"


def test_a_process_that_is_killed_while_it_waits_is_replaced(make: Make) -> None:
    executor = make("process", spare=False)
    pid = int(executor.run(batch(1))["output"][0, 0])
    os.kill(pid, signal.SIGKILL)
    assert wait_until(
        "another", lambda: executor.health().restarts == 1 and executor.health().ready == 1
    )
    assert int(executor.run(batch(1))["output"][0, 0]) != pid


def test_signals_of_a_terminal_or_a_supervisor_are_for_the_parent(make: Make) -> None:
    executor = make("signals", spare=False)
    executor.run(batch(1))
    executor.run(batch(1))
    assert executor.health().restarts == 0


def test_again_and_again_opens_the_breaker_and_an_answer_closes_it(make: Make) -> None:
    executor = make(breaker=Breaker(failures=2, pause=Duration.parse("1s")))
    for _ in range(2):
        with pytest.raises(ModelError, match="SIGABRT"):
            executor.run(batch(models.ABORT))
    assert executor.health().breaker == "open"
    with pytest.raises(ModelError, match="again and again") as raised:
        executor.run(batch(1))
    assert raised.value.reason == Reason.MODEL_UNAVAILABLE
    assert wait_until("half open", lambda: executor.health().breaker == "half_open")
    assert answers(executor)
    assert executor.health().breaker == "closed"
    assert executor.health().opened_total == 1


def test_closing_ends_a_batch_under_way_and_leaves_no_process(make: Make) -> None:
    executor = make("process")
    pid = int(executor.run(batch(1))["output"][0, 0])
    hanging = make(timeout=Duration.parse("60s"), spare=False)
    ended = threading.Event()

    def run() -> None:
        with suppress(ModelError):
            hanging.run(batch(models.HANG))
        ended.set()

    threading.Thread(target=run, daemon=True).start()
    wait_until("ready", lambda: hanging.health().ready == 1)
    hanging.close()
    executor.close()
    assert ended.wait(10)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_model_that_does_not_load_is_the_users_mistake(make: Make) -> None:
    with pytest.raises(ConfigError, match="no function") as raised:
        make("nowhere")
    assert raised.value.problems[0].key == "model.executor.python.callable"


@pytest.mark.parametrize(
    ("make_options", "words"),
    [
        (lambda: Isolation(timeout=Duration(0)), "timeout must be above 0"),
        (lambda: Isolation(memory_limit=Size.parse("1MiB")), "at least 128MiB"),
        (lambda: Breaker(failures=0), "at least 1"),
        (lambda: Breaker(pause=Duration.parse("1m")), "at most pause_max"),
    ],
)
def test_options_that_cannot_be_are_refused(make_options: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_options()

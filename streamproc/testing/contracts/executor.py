"""The contract of an executor."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from streamproc.core import Columns, Executor
from streamproc.testing.contracts.checking import LIMIT_S, see

Inputs = Callable[[int], Columns]
"""Valid inputs for a batch of n events, the same for the same n and row."""

_SIZES = (1, 2, 7, 32)


def says_what_it_is(executor: Executor, inputs: Inputs) -> None:
    """Its info is complete, and is about the inputs that it takes."""
    info = executor.info
    see(bool(info.variant and info.digest and info.runs_on), f"{info} is not complete")
    see(executor.concurrency >= 1, f"concurrency is {executor.concurrency}")
    see(info.batch_max is None or info.batch_max >= 1, f"batch_max is {info.batch_max}")
    given = inputs(1)
    for spec in info.inputs:
        see(spec.name in given, f"it takes {spec.name!r}, the test gives {', '.join(given)}")


def gives_one_row_an_event(executor: Executor, inputs: Inputs) -> None:
    """Each output has one row an event, by the names, types and shapes that it says."""
    for size in _sizes(executor):
        outputs = executor.run(_read_only(inputs(size)))
        see(bool(outputs), "it gave no outputs")
        for name, array in outputs.items():
            see(isinstance(array, np.ndarray), f"{name!r} is no array but {type(array).__name__}")
            see(array.ndim > 0 and len(array) == size, f"{name!r}: {array.shape} for {size} events")
        for spec in executor.info.outputs:
            made = outputs.get(spec.name)
            see(made is not None, f"it says it gives {spec.name!r}, but gave {', '.join(outputs)}")
            if made is not None:
                shape = made.shape[1:]
                fits = len(shape) == len(spec.shape) and all(
                    wanted in (None, is_) for is_, wanted in zip(shape, spec.shape, strict=True)
                )
                see(fits and made.dtype == spec.dtype, f"{spec} came as {made.dtype} {shape}")


def leaves_its_inputs_alone(executor: Executor, inputs: Inputs) -> None:
    """What it was given is the same afterwards."""
    given = inputs(4)
    executor.run(given)
    for name, array in inputs(4).items():
        see(bool(np.array_equal(given[name], array)), f"it changed its input {name!r}")


def answers_a_row_alike_in_any_batch(executor: Executor, inputs: Inputs) -> None:
    """A row's answer does not depend on the rows beside it, nor on the time."""
    size = _sizes(executor)[-1]
    whole = executor.run(_read_only(inputs(size)))
    again = executor.run(_read_only(inputs(size)))
    alone = executor.run({name: array[:1] for name, array in inputs(size).items()})
    for name, array in whole.items():
        see(bool(np.array_equal(array, again[name])), f"{name!r} differs when it is run again")
        close = np.allclose(array[:1], alone[name], rtol=1e-5, atol=1e-6)
        see(bool(close), f"{name!r}: the first row differs when it is alone")


def runs_on_as_many_threads_as_it_says(executor: Executor, inputs: Inputs) -> None:
    """``concurrency`` threads at the same time get the same answers as one."""
    given = _read_only(inputs(_sizes(executor)[-1]))
    wanted = executor.run(given)
    with ThreadPoolExecutor(executor.concurrency) as pool:
        runs = [pool.submit(executor.run, given) for _ in range(4 * executor.concurrency)]
        for run in runs:
            outputs = run.result(timeout=LIMIT_S)
            for name, array in wanted.items():
                see(bool(np.array_equal(array, outputs[name])), f"{name!r} differs on a thread")


Check = Callable[[Executor, Inputs], None]

EXECUTOR_CHECKS: tuple[Check, ...] = (
    says_what_it_is,
    gives_one_row_an_event,
    leaves_its_inputs_alone,
    answers_a_row_alike_in_any_batch,
    runs_on_as_many_threads_as_it_says,
)


def executor_contract(make: Callable[[], Executor], inputs: Inputs) -> None:
    """Run all checks, each on a new executor.

    Args:
        make: makes an executor.
        inputs: valid inputs for a batch of n events; rows are the same whatever n is.

    Raises:
        AssertionError: the executor breaks its contract.
    """
    for check in EXECUTOR_CHECKS:
        executor = make()
        try:
            check(executor, inputs)
        finally:
            executor.close()


def _sizes(executor: Executor) -> list[int]:
    limit = executor.info.batch_max
    return [size for size in _SIZES if limit is None or size <= limit]


def _read_only(columns: Columns) -> Columns:
    for array in columns.values():
        array.flags.writeable = False
    return columns

"""From the configuration to executors, and their first measurement."""

from collections.abc import Sequence

from streamproc.core import (
    NS_PER_MS,
    NS_PER_S,
    Clock,
    ConfigError,
    Executor,
    ModelError,
    ModelInfo,
    Problem,
    load_function,
)
from streamproc.executors.blank import blank
from streamproc.executors.from_files import load_files
from streamproc.executors.isolated.executor import IsolatedExecutor
from streamproc.executors.isolated.life import Job
from streamproc.executors.isolated.options import Isolation
from streamproc.executors.models import Rules
from streamproc.executors.models.agreement import check_agreement
from streamproc.executors.models.golden import check_golden
from streamproc.executors.options import Model, ModelVariant, PythonModel, Simulated
from streamproc.executors.python import PythonExecutor
from streamproc.executors.remote import Remote, RemoteExecutor
from streamproc.executors.runtimes import NEED_FILES, OnnxRuntime
from streamproc.executors.simulated import SimulatedExecutor
from streamproc.executors.wiring import Wires

SWEEP_LIMIT_NS = 2 * NS_PER_S
"""The warm-up sweep's time: enough for 5 runs of each size where a batch takes up to 40 ms."""
_REPEATS = 5
_NO_WIRES = Wires()
_UNKNOWN_NS = 2 * NS_PER_MS
"""Taken for a model that cannot be measured without real inputs: it starts on a thread, and is learned."""


def load_executors(model: Model, clock: Clock) -> tuple[Executor, ...]:
    """The executors of the model's variants, the best variant first.

    Raises:
        ConfigError: a variant does not load, or takes other inputs than the first.
    """
    executors: list[Executor] = []
    ladder = model.ladder
    # Those that are here first: what they take stands in for a server that cannot be asked yet.
    first = sorted(range(len(ladder)), key=lambda at: isinstance(ladder[at].executor, Remote))
    found: dict[int, Executor] = {}
    try:
        for at in first:
            variant = ladder[at]
            found[at] = _load(model, variant, clock, executors[0].info if executors else None)
            executors.append(found[at])
            _check_inputs(executors, _key_of(model, variant))
        executors = [found[at] for at in range(len(ladder))]
        if model.golden is not None:
            check_golden(executors[0], model.golden)
        if model.agreement is not None:
            check_agreement(executors, model.agreement)
    except BaseException:
        for executor in executors:
            executor.close()
        raise
    return tuple(executors)


def _load(
    model: Model, variant: ModelVariant, clock: Clock, expected: ModelInfo | None
) -> Executor:
    """A variant in this process, in one of its own, or elsewhere."""
    key = _key_of(model, variant)
    if isinstance(variant.executor, Remote):
        return RemoteExecutor(
            variant.executor, clock=clock, variant=variant.name, expected=expected, key=key
        )
    isolation = model.isolated
    if isolation is None:
        return load_variant(variant, key, clock, model.rules, model.wires)
    return load_isolated(variant, key, clock, model.rules, isolation, wires=model.wires)


def load_isolated(
    variant: ModelVariant,
    key: str,
    clock: Clock,
    rules: Rules,
    isolation: Isolation,
    *,
    background: bool = False,
    wires: Wires = _NO_WIRES,
) -> Executor:
    """What runs a variant in a process of its own.

    Args:
        variant: with what runs it.
        key: where it stands in the file.
        clock: the time.
        rules: what its files must keep to.
        isolation: how it is isolated.
        background: whether it only gets what processor time nobody else wants.
        wires: what of its inputs does not come from the events.

    Raises:
        ConfigError: it does not load.
        ExternalError: its process does not start.
    """
    options = variant.executor
    return IsolatedExecutor(
        Job(variant, rules, key, isolation.memory_limit, wires, background),
        isolation,
        concurrency=options.concurrency if isinstance(options, NEED_FILES) else 1,
        clock=clock,
        name=variant.name,
    )


def load_variant(
    variant: ModelVariant, key: str, clock: Clock, rules: Rules, wires: Wires = _NO_WIRES
) -> Executor:
    """What runs a variant in this process.

    Args:
        variant: with what runs it.
        key: where it stands in the file.
        clock: the time.
        rules: what its files must keep to.
        wires: what of its inputs does not come from the events.

    Raises:
        ConfigError: it does not load.
    """
    match variant.executor:
        case PythonModel(callable=name) as options:
            function = load_function(name, key=f"{key}.executor.python.callable")
            return PythonExecutor(
                function,
                name=name,
                variant=variant.name,
                retries=options.retries,
                pause_s=options.retry_pause / NS_PER_S,
            )
        case Simulated() as options:
            inner = None
            if variant.files:
                inner = load_files(
                    variant, OnnxRuntime(), key=key, clock=clock, rules=rules, wires=wires
                )
            return SimulatedExecutor(options, clock=clock, inner=inner, variant=variant.name)
        case Remote() as options:
            return RemoteExecutor(options, clock=clock, variant=variant.name, key=key)
        case options:
            return load_files(
                variant, options or OnnxRuntime(), key=key, clock=clock, rules=rules, wires=wires
            )


def _key_of(model: Model, variant: ModelVariant) -> str:
    """Where a variant stands in the file."""
    names = [other.name for other in model.variants]
    return f"model.variants[{names.index(variant.name)}]" if names else "model"


def _check_inputs(executors: Sequence[Executor], key: str) -> None:
    """See that the last one takes what the first one takes: the features are made once for all of them."""
    first, last = executors[0].info, executors[-1].info
    if first.state != last.state:
        text = (
            f"variant {last.variant!r} carries {_state_words(last)}, "
            f"but {first.variant!r} {_state_words(first)}: all variants must carry the same"
        )
        raise ConfigError(Problem(text, f"{key}.path"))
    if first.inputs and last.inputs and first.inputs != last.inputs:
        text = (
            f"variant {last.variant!r} takes {_words(last)}, but {first.variant!r} takes {_words(first)}: "
            "all variants must take the same inputs"
        )
        raise ConfigError(Problem(text, f"{key}.path"))


def _words(info: ModelInfo) -> str:
    return ", ".join(
        f"{spec.name} {spec.dtype}[{', '.join('?' if n is None else str(n) for n in ('n', *spec.shape))}]"
        for spec in info.inputs
    )


def _state_words(info: ModelInfo) -> str:
    return ", ".join(f"{spec.input} {spec.dtype}{list(spec.shape)}" for spec in info.state)


def sweep(executor: Executor, *, size_max: int, clock: Clock) -> tuple[list[int], list[int]]:
    """Warm the model up and measure it: batch sizes 1, 2, 4 ... ``size_max``, and their times in ns.

    The first run of a size is not counted; of the others the median is taken. When the time is up, larger
    sizes are left out, and the last two give the slope.
    """
    sizes = sorted({*(1 << p for p in range(size_max.bit_length())), size_max} - {0})
    sizes = [size for size in sizes if size <= size_max]
    if not executor.info.inputs:
        return [1], [_UNKNOWN_NS]
    if isinstance(executor, RemoteExecutor):
        return _sweep_remote(executor, sizes, clock)
    return _swept(executor, sizes, clock)


def _sweep_remote(
    executor: RemoteExecutor, sizes: list[int], clock: Clock
) -> tuple[list[int], list[int]]:
    """Of a server that does not answer nothing is known: it is learned when it does."""
    try:
        return _swept(executor, sizes, clock)
    except ModelError:
        return [1], [_UNKNOWN_NS]


def _swept(executor: Executor, sizes: list[int], clock: Clock) -> tuple[list[int], list[int]]:
    size_max = sizes[-1]
    measured: list[int] = []
    begun_ns = clock.now_ns()
    for size in sizes:
        inputs = blank(executor.info, size)
        executor.run(inputs)
        times = []
        for _ in range(_REPEATS):
            started_ns = clock.now_ns()
            executor.run(inputs)
            times.append(clock.now_ns() - started_ns)
            if clock.now_ns() - begun_ns > SWEEP_LIMIT_NS:
                break
        measured.append(max(1, sorted(times)[len(times) // 2]))
        if clock.now_ns() - begun_ns > SWEEP_LIMIT_NS:
            break
    done = sizes[: len(measured)]
    if done[-1] < size_max and len(done) > 1:
        slope = max(0.0, (measured[-1] - measured[-2]) / (done[-1] - done[-2]))
        measured.append(round(measured[-1] + slope * (size_max - done[-1])))
        done.append(size_max)
    return done, measured

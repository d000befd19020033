"""What is measured: the variants of a configuration, or one file on several executors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from streamproc.config import load
from streamproc.core import Clock, Columns, ConfigError, Executor, ModelInfo
from streamproc.executors import Model, OnnxRuntime, OpenVino, load_executors
from streamproc.executors.models.golden import read_arrays
from streamproc.modeling.bench.scenarios import Batch
from streamproc.runtime import Pipeline

EXECUTORS = ("onnxruntime", "openvino")


@dataclass(frozen=True, slots=True)
class Target:
    """An executor that is measured.

    Attributes:
        name: the variant, or the executor.
        threads: inside one operator; None where it is not ours to set.
        executor: the model.
    """

    name: str
    threads: int | None
    executor: Executor


def is_model(path: Path) -> bool:
    """Whether a file is a model, and not a configuration."""
    return path.suffix.lower() in (".onnx", ".ort")


def targets(
    path: Path, executors: Sequence[str], threads: Sequence[int], clock: Clock
) -> Iterator[Target]:
    """What is measured, one after the other; each is to be closed.

    Args:
        path: a model, or a configuration.
        executors: names out of ``EXECUTORS``; for a model only.
        threads: threads inside one operator; each is tried.
        clock: of the executors.

    Raises:
        ConfigError: it does not load.
    """
    if not is_model(path):
        loaded = load(path)
        Pipeline.from_file(loaded)  # its folder is where the user's modules are
        model = replace(loaded.config.model, isolation=False, golden=None, agreement=None)
        for variant in model.ladder:
            yield from _of(
                replace(model, path=None, chain=(), repository=None, variants=(variant,)),
                variant.name,
                threads,
                clock,
            )
        return
    for name in executors:
        if name not in EXECUTORS:
            msg = f"there is no executor {name!r} to measure: {', '.join(EXECUTORS)}"
            raise ConfigError(msg)
        options = OnnxRuntime() if name == "onnxruntime" else OpenVino()
        yield from _of(Model(str(path), options), name, threads, clock)


def _of(model: Model, name: str, threads: Sequence[int], clock: Clock) -> Iterator[Target]:
    (variant,) = model.ladder
    options = variant.executor
    if not isinstance(options, OnnxRuntime | OpenVino):
        (executor,) = load_executors(model, clock)
        yield Target(name, None, executor)
        return
    for count in threads:
        changed = (
            replace(options, intra_op_threads=count)
            if isinstance(options, OnnxRuntime)
            else replace(options, threads=count)
        )
        one = replace(variant, executor=changed)
        (executor,) = load_executors(
            replace(model, path=None, chain=(), repository=None, variants=(one,)), clock
        )
        yield Target(name, count, executor)


def batches_of(info: ModelInfo, path: Path | None, seed: int = 0) -> Batch:
    """What gives inputs for a model: recorded ones, or random ones of its types and shapes.

    Args:
        info: the model.
        path: a ``.npz`` with an array for each input, [n, ...]; None draws numbers.
        seed: of the numbers.

    Raises:
        ConfigError: it does not say what it takes, or the file lacks an input.
    """
    if not info.inputs:
        msg = "the model does not say what it takes: name recorded inputs with --inputs F.npz"
        raise ConfigError(msg)
    if path is not None:
        arrays = read_arrays(str(path), "inputs")
        missing = [spec.name for spec in info.inputs if spec.name not in arrays]
        if missing:
            msg = f"{path} has no input {', '.join(missing)}: it has {', '.join(arrays)}"
            raise ConfigError(msg)
        return lambda size: {
            spec.name: np.take(arrays[spec.name], range(size), axis=0, mode="wrap")
            for spec in info.inputs
        }
    generator = np.random.default_rng(seed)

    def drawn(size: int) -> Columns:
        return {
            spec.name: generator.normal(size=(size, *(n or 1 for n in spec.shape))).astype(
                spec.dtype
            )
            for spec in info.inputs
        }

    return drawn

"""Agreement: a variant has to decide as the best one does, on the machine that serves it, before it decides anything.

Whether a quantized model is right depends on the processor: without VNNI, onnxruntime multiplies unsigned by signed
bytes with ``vpmaddubsw``, whose sums of two products saturate at 16 bits, and says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.core import Array, Columns, ConfigError, Executor, ModelError, Problem
from streamproc.executors.models.golden import read_arrays

KEY = "model.agreement"


@dataclass(frozen=True, slots=True)
class Agreement:
    """That variants have to decide alike.

    Attributes:
        path: a ``.npz`` file with an array for each of the model's inputs, [n, ...], under the model's own names:
            events as they come, a few hundred.
        at_least: the share of events on which a variant has to decide as the best one does.
        tensor: the output that decides: the place of its highest number, or, where it has one column, the number
            itself; null takes the first.
        rtol: how far such a number may be off, as a part of the best variant's largest.
    """

    path: str
    at_least: float = 0.95
    tensor: str | None = None
    rtol: float = 0.05

    def __post_init__(self) -> None:
        if not 0.0 < self.at_least <= 1.0:
            msg = f"at_least must be above 0 and at most 1, was {self.at_least}"
            raise ValueError(msg)
        if self.rtol < 0:
            msg = f"rtol must not be below 0, was {self.rtol}"
            raise ValueError(msg)


def check_agreement(executors: Sequence[Executor], agreement: Agreement) -> dict[str, float]:
    """Hold each variant against the best one.

    A server that does not answer is passed over: it is held against the others' description when it does.

    Args:
        executors: of the variants, the best one's first.
        agreement: what is asked of them.

    Returns:
        by variant, the share of events on which it decides alike.

    Raises:
        ConfigError: one of them does not, or the file is none.
    """
    arrays = read_arrays(agreement.path, f"{KEY}.path")
    best, *others = executors
    names = [spec.name for spec in best.info.inputs] or list(arrays)
    missing = sorted(set(names) - arrays.keys())
    if missing or not names:
        text = f"{agreement.path} has no input {', '.join(missing) or 'at all'}"
        raise ConfigError(Problem(text, f"{KEY}.path"))
    inputs = {name: arrays[name] for name in names}
    wanted = _answers(best, inputs, agreement)
    if wanted is None:
        return {}
    shares: dict[str, float] = {}
    for executor in others:
        given = _answers(executor, inputs, agreement)
        if given is None:
            continue
        share = agreeing(wanted, given, agreement.rtol)
        shares[executor.info.variant] = share
        if share < agreement.at_least:
            text = (
                f"variant {executor.info.variant!r} decides as {best.info.variant!r} does on only {share:.1%} of "
                f"{len(wanted)} events on this machine, at least {agreement.at_least:.1%} are asked: it is not served; "
                "where it is a quantized model, make it with reduced range for this processor"
            )
            raise ConfigError(Problem(text, KEY))
    return shares


def agreeing(wanted: Array, given: Array, rtol: float) -> float:
    """The share of rows on which two outputs [n, ...] decide alike; see ``Agreement.tensor``."""
    if given.shape != wanted.shape:
        return 0.0
    if wanted.ndim == 1 or wanted[0].size == 1 or wanted.dtype.kind not in "iuf":
        if wanted.dtype.kind not in "iuf":
            return float(np.mean(wanted == given))
        reach = rtol * float(np.abs(wanted).max(initial=0.0))
        return float(np.mean(np.abs(wanted.astype(float) - given.astype(float)) <= reach))
    rows = len(wanted)
    return float(np.mean(wanted.reshape(rows, -1).argmax(1) == given.reshape(rows, -1).argmax(1)))


def _answers(executor: Executor, inputs: Columns, agreement: Agreement) -> Array | None:
    """The output that decides; None of a server that does not answer."""
    rows = len(next(iter(inputs.values())))
    step = executor.info.batch_max or rows
    made: list[Columns] = []
    try:
        for at in range(0, rows, step):
            made.append(executor.run({n: a[at : at + step] for n, a in inputs.items()}))  # noqa: PERF401
    except ModelError:
        return None
    except Exception as error:
        text = f"variant {executor.info.variant!r} fails on {agreement.path}: {type(error).__name__}: {error}"
        raise ConfigError(Problem(text, KEY)) from error
    name = agreement.tensor or next(iter(made[0]))
    if name not in made[0]:
        text = f"variant {executor.info.variant!r} gives no {name!r}: it gives {', '.join(made[0])}"
        raise ConfigError(Problem(text, f"{KEY}.tensor"))
    return np.concatenate([columns[name] for columns in made])

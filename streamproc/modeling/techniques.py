"""The techniques that ``optimize`` tries: each makes of the full model another one, or says why it cannot."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from streamproc.core import ConfigError, Float32Array
from streamproc.modeling.graphs import Graph
from streamproc.modeling.inference import run_in_batches
from streamproc.modeling.pruning import pruned
from streamproc.modeling.quantizing import dynamic_int8, half, static_int8
from streamproc.modeling.traffic import Events
from streamproc.modeling.training import Training, fit

FULL = "full"
UNFUSED = "full, not fused"
CALIBRATION_EVENTS = 512


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model to be measured.

    Attributes:
        name: of the row.
        technique: what was done, in words.
        model: the graph.
        fused: whether onnxruntime may change the graph; only the row that shows what that brings says no.
        runtime: what runs it.
        label: a short name for a variant, which a file can bear.
    """

    name: str
    technique: str
    model: Graph
    fused: bool = True
    runtime: str = "onnxruntime"
    label: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A technique that could not be tried.

    Attributes:
        name: of the row.
        why: what was in the way.
    """

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Techniques:
    """What is tried.

    Attributes:
        keep: the parts of the channels that pruned models keep.
        training: how a pruned model is fitted to the full one's answers; None leaves it as it was cut.
        openvino: whether OpenVINO's own runtime is measured.
        fixed: names of the model's constants that training leaves alone.
        noise: a student sees each event a second time with so much noise, as a part of each number's deviation.
    """

    keep: Sequence[float] = (0.75, 0.5, 0.375)
    training: Training | None = field(default_factory=Training)
    openvino: bool = False
    fixed: Sequence[str] = ()
    noise: float = 0.1


def candidates(model: Graph, train: Events, options: Techniques) -> Iterator[Candidate | Failed]:
    """Make every variant.

    Args:
        model: the full model.
        train: events to calibrate and to train on; labels are not looked at.
        options: what is tried.
    """
    full = Candidate(FULL, "as onnxruntime runs it: operators fused", model, label="full")
    yield replace(full, name=UNFUSED, technique="the graph as it is written", fused=False)
    yield full
    yield from _quantized(full, train)
    if options.openvino:
        technique = "OpenVINO's own runtime"
        yield replace(
            full, name="OpenVINO", technique=technique, runtime="openvino", label="openvino"
        )
    for keep in options.keep:
        name = f"pruned to {keep:.0%}"
        try:
            small = smaller(model, keep, train, options)
        except ConfigError as error:
            yield Failed(name, str(error))
            continue
        trained = "not trained" if options.training is None else "distilled from the full model"
        made = Candidate(
            name, f"{keep:.0%} of the channels, {trained}", small, label=f"pruned{100 * keep:.0f}"
        )
        yield made
        yield from _static(made, train)


def smaller(model: Graph, keep: float, train: Events, options: Techniques) -> Graph:
    """A pruned model that was fitted to the full model's answers on recorded events.

    Raises:
        ConfigError: no channel can be taken out, or the model cannot be trained here.
    """
    cut = pruned(model, keep)
    if options.training is None:
        return cut
    if len(train.inputs) != 1:
        msg = "only models with one input are trained"
        raise ConfigError(msg)
    ((name, recorded),) = train.inputs.items()
    events = _seen(np.asarray(recorded, np.float32), options.noise, options.training.seed)
    answers = run_in_batches(model, {name: events})
    return fit(cut, events, np.asarray(answers, np.float32), options.training, fixed=options.fixed)


def _seen(recorded: Float32Array, noise: float, seed: int) -> Float32Array:
    """The events that a student sees: those recorded, and the same with noise, which the teacher answers too."""
    if not noise:
        return recorded
    spread = recorded.std(axis=tuple(range(recorded.ndim - 1)), keepdims=True)
    drawn = np.random.default_rng(seed).normal(0.0, 1.0, recorded.shape)
    return np.concatenate([recorded, np.asarray(recorded + noise * spread * drawn, np.float32)])


def _quantized(of: Candidate, train: Events) -> Iterator[Candidate | Failed]:
    yield _tried(
        of,
        "INT8, dynamic",
        "weights as bytes, activations by each batch's range",
        "int8dynamic",
        lambda: dynamic_int8(of.model),
    )
    yield from _static(of, train, both=True)
    yield _tried(of, "FP16", "half precision", "fp16", lambda: half(of.model))


def _static(of: Candidate, train: Events, *, both: bool = False) -> Iterator[Candidate | Failed]:
    calibration = train.first(CALIBRATION_EVENTS).inputs
    for reduced in (False, True) if both else (True,):
        yield _tried(
            of,
            f"INT8, static, {'7' if reduced else '8'} bits",
            "all as bytes, by ranges of recorded events"
            + (", weights in reduced range" if reduced else ", weights in full range"),
            "int8" if reduced else "int8full",
            partial(static_int8, of.model, calibration, reduced=reduced),
        )


def _tried(
    of: Candidate, name: str, technique: str, label: str, make: Callable[[], Graph]
) -> Candidate | Failed:
    whole = name if of.name == FULL else f"{of.name} + {name}"
    try:
        made = make()
    except Exception as error:  # noqa: BLE001 - the tools raise whatever they meet
        return Failed(whole, f"{type(error).__name__}: {str(error).splitlines()[0][:160]}")
    short = label if of.name == FULL else f"{of.label}-{label}"
    before = "" if of.name == FULL else f"{of.technique}; "
    return replace(of, name=whole, technique=f"{before}{technique}", model=made, label=short)

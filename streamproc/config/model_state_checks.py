"""What no single key shows of a model's inputs that do not come from the events: constants, and state that is carried."""

from collections.abc import Iterator, Sequence
from typing import Any

from streamproc.config.tree import Finding, Path
from streamproc.executors import Model, PythonModel, Remote, Simulated
from streamproc.features import FeatureState
from streamproc.scheduling import (
    Conflate,
    Ordering,
    ShedName,
    ShedPolicy,
    SkipAhead,
    shed_policies,
)


def _where(model: Model) -> Iterator[Finding]:
    """See that what runs the model knows its inputs, and that none is filled twice."""
    asked = [name for name in ("constants", "shapes", "state") if getattr(model, name)]
    runs: list[tuple[Path, object, bool]] = [(("model",), model.executor, bool(model.path))]
    if model.variants:
        runs = [
            (("model", "variants", place), variant.executor or model.executor, bool(variant.files))
            for place, variant in enumerate(model.variants)
        ]
    for path, executor, file in runs if asked else ():
        if isinstance(executor, PythonModel | Remote) or (
            isinstance(executor, Simulated) and not file
        ):
            text = (
                f"model.{asked[0]} is about an ONNX file, which onnxruntime or openvino runs: "
                f"remove it, or this executor"
            )
            yield (*path, "executor"), text
    fields = {"model.inputs": model.inputs, "model.constants": model.constants}
    carried = {} if model.state is None else model.state.inputs
    for name in carried:
        for where, names in fields.items():
            if name in names:
                yield (
                    ("model", "state", "inputs", name),
                    f"{name!r} stands in {where} too; keep one",
                )
    for name in model.constants:
        if name in model.inputs:
            yield ("model", "constants", name), f"{name!r} stands in model.inputs too; keep one"


def _alone(
    model: Model, rollout: object, state: FeatureState, reorder: object, serve: object
) -> Iterator[Finding]:
    """Refuse what nobody has made to go together."""
    asked = [name for name in ("constants", "shapes", "state") if getattr(model, name)]
    if rollout is not None and asked:
        text = f"no other model is tried beside one with model.{asked[0]}: remove it, or that"
        yield ("rollout",), text
    if model.state is None:
        return
    if model.cascade is not None:
        text = "a second model would take a key's state on another way: remove it, or model.state"
        yield ("model", "cascade"), text
    if model.stop_late:
        text = "a batch that was stopped leaves its keys without their next state: remove it, or model.state"
        yield ("model", "stop_late"), text
    if serve is not None:
        text = (
            "a request has no key whose state the model could go on with: remove it, or model.state"
        )
        yield ("serve",), text
    if reorder is not None:
        text = "what waits for its turn is not run again by a model that carries state: remove it, or that state"
        yield ("reorder",), text
    if state.changelog is not None and model.state.restore == "rewind":
        text = (
            "what a changelog brings back is not read again, and the model has to be run over it: remove it, or write "
            "model.state.restore: none"
        )
        yield ("state", "changelog"), text


def _order(model: Model, ordering: Ordering) -> Iterator[Finding]:
    if model.state is not None and ordering == "partition":
        text = (
            "partition is not kept by a model that carries state: an event waits for the one of its key before it, "
            "and others go past it; write key"
        )
        yield ("ordering",), text


def _gaps(model: Model, shed: Sequence[ShedPolicy | ShedName]) -> Iterator[Finding]:
    """See that no policy gives up what the state would need."""
    if model.state is None:
        return
    for place, policy in enumerate(shed):
        try:
            (made,) = shed_policies([policy])
        except ValueError:
            continue  # reported with the policies
        if isinstance(made, Conflate):
            text = (
                "conflate keeps the newest event of a key alone, and the model carries state through all of them: "
                "remove it"
            )
            yield ("shed", place), text
        if isinstance(made, SkipAhead) and model.state.on_gap == "reset":
            text = (
                "skip_ahead jumps over events whose keys nobody knows, so none would begin anew: remove it, or write "
                "model.state.on_gap: keep"
            )
            yield ("shed", place), text


MODEL_STATE_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_where, ("model",)),
    (_alone, ("model", "rollout", "state", "reorder", "serve")),
    (_order, ("model", "ordering")),
    (_gaps, ("model", "shed")),
)
"""As those of ``checks``: each check and the parts that it takes."""

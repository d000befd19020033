"""What ``check`` says of models that are tried: what each is for, and whether the canary was taken back."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from streamproc.config import PipelineConfig
from streamproc.core import ModelInfo, Problem
from streamproc.executors import REFERENCE
from streamproc.runtime import TakenBackEntry, identity_of, read_entries


def roles(config: PipelineConfig) -> dict[str, str]:
    """By the name of what is tried: ``arm``, ``canary``, ``copy`` (of the model, for comparisons) or ``shadow``."""
    rollout = config.rollout
    if rollout is None:
        return {}
    found = {arm.name: "arm" for arm in rollout.arms}
    if rollout.canary is not None:
        found |= {rollout.canary.name: "canary", REFERENCE: "copy"}
    if rollout.shadow is not None:
        found[rollout.shadow.name] = "shadow"
    return found


def rows(config: PipelineConfig, models: Sequence[ModelInfo]) -> Iterator[tuple[str, str]]:
    """A row for each model but the first: what it is to the pipeline, and which."""
    said = roles(config)
    for info in models[1:]:
        role = said.get(info.variant, "or")
        name = info.variant
        if role == "copy" and config.rollout is not None and config.rollout.canary is not None:
            first, canary = config.model.ladder[0].name, config.rollout.canary.name
            name = f"{name} ({first} once more, aside: what {canary} decides is compared with it)"
        yield role, f"{name}, {info.digest}, on {info.runs_on}"


def taken_back(config: PipelineConfig, models: Sequence[ModelInfo]) -> TakenBackEntry | None:
    """The entry of ``rollout.state`` by which the canary will not be tried; None where it will.

    Raises:
        ValueError: the file cannot be read.
    """
    rollout = config.rollout
    if rollout is None or rollout.canary is None or rollout.state is None:
        return None
    digest = next((m.digest for m in models if m.variant == rollout.canary.name), None)
    if digest is None:
        return None
    return read_entries(Path(rollout.state)).get(identity_of(rollout.canary, digest))


def warnings(config: PipelineConfig, models: Sequence[ModelInfo]) -> Iterator[Problem]:
    """What will not be tried, and why; and what will be tried again and again."""
    rollout = config.rollout
    if rollout is None or rollout.canary is None:
        return
    if rollout.state is None:
        text = (
            "a canary that was taken back is tried again after a restart: name a file, such as "
            f"state: {config.name}.rollout.json, that remembers it"
        )
        yield Problem(text, "rollout.canary")
        return
    name, again = rollout.canary.name, f"remove {rollout.state} to try it again"
    try:
        entry = taken_back(config, models)
    except ValueError as error:
        yield Problem(f"{error}: {name} is not tried; {again}", "rollout.state")
    else:
        if entry is not None:
            text = f"{name} was taken back at {entry.at}, and is not tried: {entry.words}; {again}"
            yield Problem(text, "rollout.canary")

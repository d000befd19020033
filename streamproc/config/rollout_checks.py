"""What no single key shows of a rollout and of model repositories, and where their paths start from."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from streamproc.config.ends import Sink, Source
from streamproc.config.tree import Finding, Node, Path
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import ConfigError, Problem
from streamproc.engine import BASE_ARM, Outcomes
from streamproc.executors import (
    REFERENCE,
    Candidate,
    Model,
    OnnxRuntime,
    OpenVino,
    Repository,
    Rollout,
)
from streamproc.scheduling import Ordering
from streamproc.slo import Objective


def resolve_rollout(
    root: Node, parts: dict[str, Any], folder: FilePath, problems: list[Problem]
) -> None:
    """Make the paths of a rollout and of repositories start from the file's folder, and look for what they name."""
    model: Model | None = parts.get("model")
    if model is not None and model.repository is not None:
        before = len(problems)
        found = _repository(root, ("model", "repository"), model.repository, folder, problems)
        parts["model"] = replace(model, repository=found)
        if len(problems) > before:
            del parts[
                "model"
            ]  # whoever asks it for its file would fail once more, without the line
    rollout: Rollout | None = parts.get("rollout")
    if rollout is None:
        return
    done = {path: _resolved(root, path, one, folder, problems) for path, one in rollout.places()}
    arms = tuple(done["rollout", "arms", place] for place in range(len(rollout.arms)))
    rollout = replace(
        rollout,
        arms=arms,  # type: ignore[arg-type]  # each is what it was
        canary=done.get(("rollout", "canary")),  # type: ignore[arg-type]
        shadow=done.get(("rollout", "shadow")),  # type: ignore[arg-type]
    )
    if rollout.shadow is not None and rollout.shadow.file is not None:
        shadow = replace(rollout.shadow, file=str(folder / rollout.shadow.file))
        rollout = replace(rollout, shadow=shadow)
    if rollout.state is not None:
        state = folder / rollout.state
        if not state.parent.is_dir():
            message = f"there is no folder {str(state.parent)!r} for it: make it, or name another"
            problems.append(root.problem(("rollout", "state"), message))
        rollout = replace(rollout, state=str(state))
    parts["rollout"] = rollout


def _resolved(
    root: Node, path: Path, candidate: Candidate, folder: FilePath, problems: list[Problem]
) -> Candidate:
    if candidate.path is not None:
        file = folder / candidate.path
        if not file.is_file():
            message = f"there is no file {str(file)!r}; relative paths start from the configuration's folder"
            problems.append(root.problem((*path, "path"), message))
        candidate = replace(candidate, path=str(file))
    if candidate.repository is not None:
        place = (*path, "repository")
        found = _repository(root, place, candidate.repository, folder, problems)
        candidate = replace(candidate, repository=found)
    return candidate


def _repository(
    root: Node, path: Path, repository: Repository, folder: FilePath, problems: list[Problem]
) -> Repository:
    repository = replace(repository, path=str(folder / repository.path))
    try:
        file = FilePath(repository.file)
    except ConfigError as error:
        problems += [root.problem(path, problem.message) for problem in error.problems]
    else:
        if not file.is_file():
            problems.append(root.problem(path, f"there is no file {str(file)!r}"))
    return repository


def _names(model: Model, rollout: Rollout | None) -> Iterator[Finding]:
    if rollout is None:
        return
    variants = [v.name for v in model.variants] or ["full"]
    taken = dict.fromkeys(variants, "a variant of the model")
    taken |= {
        BASE_ARM: "the model itself, in metrics",
        REFERENCE: "its copy, which a canary is compared with",
    }
    for path, candidate in rollout.places():
        place = (*path, "name")
        if not candidate.name:
            yield place, "must have letters: it is a label of the metrics"
        elif candidate.name in taken:
            yield place, f"{candidate.name!r} is {taken[candidate.name]}; name it otherwise"
        taken[candidate.name] = "named before"


def _models(model: Model, rollout: Rollout | None) -> Iterator[Finding]:
    for path, candidate in rollout.places() if rollout is not None else ():
        executor = candidate.executor or model.executor
        if candidate.path is not None and candidate.repository is not None:
            yield (*path, "repository"), "must not stand beside path: remove one of them"
        elif (
            candidate.path is None
            and candidate.repository is None
            and isinstance(executor, OnnxRuntime | OpenVino)
        ):
            yield (*path, "path"), "is missing: name the ONNX file, or a repository"


def _order(ordering: Ordering, rollout: Rollout | None) -> Iterator[Finding]:
    if rollout is not None and rollout.deciding and ordering == "partition":
        yield (
            ("ordering",),
            "partition cannot be kept with several models that decide: one overtakes another; write key or none",
        )


def _topic(
    rollout: Rollout | None, source: Source, sink: Sink, outcomes: Outcomes
) -> Iterator[Finding]:
    if rollout is None or rollout.shadow is None or rollout.shadow.topic is None:
        return
    path: Path = ("rollout", "shadow", "topic")
    topic = rollout.shadow.topic
    if not (isinstance(source, KafkaSource) and isinstance(sink, KafkaSink)):
        yield path, "is in Kafka: use source.kafka and sink.kafka, or a file"
        return
    others = (*source.topics, sink.topic, outcomes.dead_letter_topic, outcomes.shed_topic)
    if topic in others:
        yield path, f"{topic!r} is the pipeline's own: what a shadow decides is not published"


def _roll_back(slo: list[Objective], rollout: Rollout | None) -> Iterator[Finding]:
    for place, objective in enumerate(slo):
        asks = objective.on_burn is not None and objective.on_burn.roll_back
        if asks and (rollout is None or rollout.canary is None):
            yield (
                ("slo", place, "on_burn", "roll_back"),
                "there is no canary to take back: write rollout.canary, or remove it",
            )


ROLLOUT_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_names, ("model", "rollout")),
    (_models, ("model", "rollout")),
    (_order, ("ordering", "rollout")),
    (_topic, ("rollout", "source", "sink", "outcomes")),
    (_roll_back, ("slo", "rollout")),
)
"""As those of ``checks``: each check and the parts that it takes."""

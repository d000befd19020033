"""What no single key shows of a chain of models, and where its paths start from."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from streamproc.config.tree import Finding, Node, Path
from streamproc.core import Problem
from streamproc.executors import ChainStage, Model, PythonModel, Remote

_WIRES = ("constants", "shapes", "state")


def resolve_chains(
    root: Node, parts: dict[str, Any], folder: FilePath, problems: list[Problem]
) -> None:
    """Make the stages' paths start from the file's folder, and look for them."""
    model: Model | None = parts.get("model")
    if model is None:
        return
    chain = _resolved(root, ("model",), model.chain, folder, problems)
    variants = tuple(
        replace(v, chain=_resolved(root, ("model", "variants", place), v.chain, folder, problems))
        for place, v in enumerate(model.variants)
    )
    parts["model"] = replace(model, chain=chain, variants=variants)


def _resolved(
    root: Node,
    path: Path,
    chain: Sequence[ChainStage],
    folder: FilePath,
    problems: list[Problem],
) -> tuple[ChainStage, ...]:
    found = []
    for place, stage in enumerate(chain):
        file = folder / stage.path
        if not file.is_file():
            message = f"there is no file {str(file)!r}; relative paths start from the configuration's folder"
            problems.append(root.problem((*path, "chain", place, "path"), message))
        found.append(replace(stage, path=str(file)))
    return tuple(found)


def _chains(model: Model) -> Iterator[Finding]:
    """See that what runs a chain reads files, and that what is about one file stands in its stage."""
    runs: list[tuple[Path, object, bool]] = [(("model",), model.executor, bool(model.chain))]
    runs += [
        (("model", "variants", n), v.executor or model.executor, bool(v.chain))
        for n, v in enumerate(model.variants)
    ]
    for path, executor, chained in runs:
        if chained and isinstance(executor, PythonModel | Remote):
            text = "the stages of a chain are files, which onnxruntime or openvino runs: remove it, or this executor"
            yield (*path, "chain"), text
    if not any(chained for *_, chained in runs):
        return
    for name in _WIRES:
        if getattr(model, name) and name == "state":
            text = "a chain carries no state of keys: remove it, or the chain"
            yield ("model", name), text
        elif getattr(model, name):
            text = f"is about one file: write {name} into the stage of the chain that takes it"
            yield ("model", name), text


CHAIN_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = ((_chains, ("model",)),)
"""As those of ``checks``: each check and the parts that it takes."""

"""What no single key shows of a cascade: its variants, and their order."""

from collections.abc import Iterator
from typing import Any

from streamproc.config.foreign_names import nearest
from streamproc.config.tree import Finding, Path
from streamproc.executors import Model, Rollout

_LEAST = 2
"""Stages: of one there is nobody to ask."""


def _cascade(model: Model) -> Iterator[Finding]:
    if model.cascade is None:
        return
    path: Path = ("model", "cascade")
    names = [variant.name for variant in model.ladder]
    if len(model.variants) < _LEAST:
        yield path, "needs variants: name a cheap one and a better one under model.variants"
        return
    of = model.cascade.of
    unknown = [place for place, name in enumerate(of) if name not in names]
    for place in unknown:
        near = nearest(of[place], names)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
        yield (*path, "of", place), f"{of[place]!r} is no variant of the model; {hint}"
    if unknown or not of:
        return
    if len(of) < _LEAST:
        yield (*path, "of"), "needs two variants at least, the cheapest first"
    elif of[-1] != names[0]:
        text = f"must end with the best variant, {names[0]}, was {', '.join(of)}"
        yield (*path, "of"), text
    elif list(of) != sorted(set(of), key=names.index, reverse=True):
        text = f"must go up in quality, {', '.join(reversed(names))}, was {', '.join(of)}"
        yield (*path, "of"), text


def _rollout(model: Model, rollout: Rollout | None) -> Iterator[Finding]:
    if model.cascade is not None and rollout is not None:
        text = "a model that is tried is compared with one that decides alone: remove cascade, or rollout"
        yield ("model", "cascade"), text


CASCADE_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_cascade, ("model",)),
    (_rollout, ("model", "rollout")),
)
"""As those of ``checks``: each check and the parts that it takes."""

"""Sampled call stacks: as a tree for a flame graph, and as a table of functions."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(slots=True)
class Frame:
    """A place in the tree of calls.

    Attributes:
        name: the function, with its file and line.
        samples: in how many it was on the stack here.
        calls: what it called.
    """

    name: str
    samples: int = 0
    calls: dict[str, "Frame"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Function:
    """A function, wherever it was called from.

    Attributes:
        name: it, with its file and line.
        own: the share of the samples in which it ran itself.
        total: the share in which it was on the stack.
    """

    name: str
    own: float
    total: float


def read_stacks(path: Path) -> Counter[tuple[str, ...]]:
    """Samples by stack, the outermost call first, from collapsed stacks: ``a;b;c 12`` a line.

    Raises:
        ValueError: a line is none.
    """
    found: Counter[tuple[str, ...]] = Counter()
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        stack, _, count = line.rpartition(" ")
        if not stack or not count.isdecimal():
            msg = f"{path}: {line[:80]!r} is no collapsed stack"
            raise ValueError(msg)
        found[tuple(stack.split(";"))] += int(count)
    return found


def flame(stacks: Mapping[tuple[str, ...], int]) -> Frame:
    """The tree of all calls."""
    root = Frame("all")
    for stack, samples in stacks.items():
        here = root
        here.samples += samples
        for name in stack:
            here = here.calls.setdefault(name, Frame(name))
            here.samples += samples
    return root


def functions(stacks: Mapping[tuple[str, ...], int], *, limit: int) -> list[Function]:
    """The functions that ran longest themselves.

    Args:
        stacks: samples by stack.
        limit: how many at most.
    """
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for stack, samples in stacks.items():
        own[stack[-1]] += samples
        total.update(_each(set(stack), samples))
    whole = sum(stacks.values()) or 1
    return [
        Function(name, samples / whole, total[name] / whole)
        for name, samples in own.most_common(limit)
    ]


def _each(names: Iterable[str], samples: int) -> dict[str, int]:
    return dict.fromkeys(names, samples)

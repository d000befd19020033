"""The time of each of a model's operators, from the profile that onnxruntime wrote.

https://onnxruntime.ai/docs/performance/tune-performance/profiling-tools.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

_NS_PER_US = 1_000


class _Arguments(msgspec.Struct):
    op_name: str = ""
    provider: str = ""


class _Entry(msgspec.Struct):
    cat: str = ""
    name: str = ""
    ts: int = 0
    dur: int = 0
    args: _Arguments = msgspec.field(default_factory=_Arguments)


@dataclass(frozen=True, slots=True)
class Operator:
    """A node of a model's graph.

    Attributes:
        node: its name in the graph, as it was optimised.
        kind: of operator, such as ``Gemm``.
        runs_on: the execution provider.
        calls: how often it ran.
        total_us: for how long in all.
    """

    node: str
    kind: str
    runs_on: str
    calls: int
    total_us: int


def operators(path: Path, *, started_ns: int = 0, since_ns: int = 0) -> list[Operator]:
    """The nodes that ran, the longest first.

    Args:
        path: the profile.
        started_ns: when it was begun, since 1970.
        since_ns: what ran before is left out, such as the model's warm-up.

    Raises:
        ValueError: it is no profile.
    """
    since_us = (since_ns - started_ns) // _NS_PER_US
    found: dict[tuple[str, str, str], list[int]] = {}
    for entry in _nodes(path):
        if entry.ts >= since_us:
            key = (entry.name.removesuffix("_kernel_time"), entry.args.op_name, entry.args.provider)
            sums = found.setdefault(key, [0, 0])
            sums[0] += 1
            sums[1] += entry.dur
    made = [Operator(*key, *sums) for key, sums in found.items()]
    return sorted(made, key=lambda operator: -operator.total_us)


def _nodes(path: Path) -> Iterator[_Entry]:
    try:
        entries = msgspec.json.decode(path.read_bytes(), type=list[_Entry])
    except msgspec.DecodeError as error:
        msg = f"{path} is no profile of onnxruntime: {error}"
        raise ValueError(msg) from error
    return (e for e in entries if e.cat == "Node" and e.name.endswith("_kernel_time"))

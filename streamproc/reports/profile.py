"""Where the time of a pipeline goes, as one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from streamproc.core import VERSION
from streamproc.reports.flame import WIDTH, flame_graph
from streamproc.reports.page import templates
from streamproc.reports.stacks import Function, flame, functions

_FUNCTIONS_SHOWN = 25
_OPERATORS_SHOWN = 40


@dataclass(frozen=True, slots=True)
class StageShare:
    """A part of the pipeline.

    Attributes:
        name: of it.
        share: of the whole time, 0 to 1.
        us_per_event: microseconds.
        words: more about it.
    """

    name: str
    share: float
    us_per_event: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """A node of a model.

    Attributes:
        variant: of the model.
        node: its name in the graph.
        kind: of operator.
        runs_on: the execution provider.
        calls: how often it ran.
        total_us: for how long in all.
    """

    variant: str
    node: str
    kind: str
    runs_on: str
    calls: int
    total_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was found.

    Attributes:
        name: the pipeline's.
        what: of it was looked at.
        events: that came to their end meanwhile.
        wall_s: how long it took.
        cpu_s: CPU time of the process; None where that is not known.
        stages: where it went, in the order in which they are shown.
        lanes: by lane: events, and how long these spent in each stage in the mean, in ms.
        operators: of the model, the longest first.
        stacks: samples of Python by stack, the outermost call first.
        notes: what must be known.
    """

    name: str
    what: str
    events: int
    wall_s: float
    cpu_s: float | None
    stages: Sequence[StageShare]
    lanes: Mapping[str, tuple[int, Mapping[str, float]]] = field(default_factory=dict)
    operators: Sequence[OperatorTime] = ()
    stacks: Mapping[tuple[str, ...], int] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def samples(self) -> int:
        """Of Python."""
        return sum(self.stacks.values())

    def functions(self, limit: int) -> list[Function]:
        """The functions in which Python was longest."""
        return functions(self.stacks, limit=limit)

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            "pipeline": self.name,
            "events": self.events,
            "wall_s": round(self.wall_s, 3),
            "cpu_s": None if self.cpu_s is None else round(self.cpu_s, 3),
            "stages": [
                {
                    "stage": stage.name,
                    "share": round(stage.share, 4),
                    "us_per_event": round(stage.us_per_event, 3),
                }
                for stage in self.stages
            ],
            "lanes": {
                lane: {"events": events, "mean_ms": dict(means)}
                for lane, (events, means) in self.lanes.items()
            },
            "operators": [
                {
                    "variant": node.variant,
                    "node": node.node,
                    "op": node.kind,
                    "runs_on": node.runs_on,
                    "calls": node.calls,
                    "total_us": node.total_us,
                }
                for node in self.operators
            ],
            "python": {
                "samples": self.samples,
                "functions": [
                    {"name": f.name, "own": round(f.own, 4), "total": round(f.total, 4)}
                    for f in self.functions(_FUNCTIONS_SHOWN)
                ],
            },
            "notes": list(self.notes),
        }


def render_profile(found: Profile) -> str:
    """The page. All texts are escaped: names are somebody's input."""
    return (
        templates()
        .get_template("profile.html.jinja")
        .render(
            found=found,
            version=VERSION,
            width=WIDTH,
            picture=flame_graph(flame(found.stacks)) if found.stacks else None,
            functions=found.functions(_FUNCTIONS_SHOWN),
            operators=list(found.operators)[:_OPERATORS_SHOWN],
            operators_us=sum(node.total_us for node in found.operators) or 1,
            lane_stages=list(
                dict.fromkeys(name for _, means in found.lanes.values() for name in means)
            ),
        )
    )

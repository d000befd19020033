"""Two captures of the same traffic compared: what a candidate would have done otherwise than the baseline."""

from streamproc.replay.diff.bounds import Bound, Bounds, Finding, judge
from streamproc.replay.diff.captured import side_of
from streamproc.replay.diff.contents import FieldChange
from streamproc.replay.diff.ended import (
    DecisionRow,
    EndedEvent,
    OutcomeRow,
    Side,
    Told,
)
from streamproc.replay.diff.joining import difference
from streamproc.replay.diff.shares import Interval, wilson
from streamproc.replay.diff.tally import Change, Difference, FieldTally, Kind, SideTally
from streamproc.replay.diff.tolerances import Tolerances
from streamproc.replay.diff.tried import tried_sides

__all__ = [
    "Bound",
    "Bounds",
    "Change",
    "DecisionRow",
    "Difference",
    "EndedEvent",
    "FieldChange",
    "FieldTally",
    "Finding",
    "Interval",
    "Kind",
    "OutcomeRow",
    "Side",
    "SideTally",
    "Told",
    "Tolerances",
    "difference",
    "judge",
    "side_of",
    "tried_sides",
    "wilson",
]

"""Where the time of a pipeline goes: stages, lanes, operators, Python."""

from streamproc.replay.profile.lanes import LaneTimes, LaneWay
from streamproc.replay.profile.operators import Operator, operators
from streamproc.replay.profile.spying import PySpy, Spied
from streamproc.replay.profile.stages import REST, StageClock, StageTime

__all__ = [
    "REST",
    "LaneTimes",
    "LaneWay",
    "Operator",
    "PySpy",
    "Spied",
    "StageClock",
    "StageTime",
    "operators",
]

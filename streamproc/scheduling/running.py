"""A run that is under way, as the scheduler remembers it."""

from dataclasses import dataclass

from streamproc.core import light
from streamproc.scheduling.latency_model import LatencyModel


@light
@dataclass(frozen=True, slots=True)
class Running:
    """What was planned of a run.

    Attributes:
        started_ns: when it began.
        size: of its batch, in what events cost.
        count: how many events it has.
        end_by_ns: when it must have ended for all its events to be in time.
        latency: of the model that runs.
        probe: whether it only finds out how long the model takes.
        fits: whether it was planned to end in time.
    """

    started_ns: int
    size: int
    count: int
    end_by_ns: int
    latency: LatencyModel
    probe: bool
    fits: bool

"""A recording through the pipeline again: on the virtual clock, by its schedule log, or at the wall clock's pace."""

from streamproc.replay.playback.machine import ReplayMachine, Silent
from streamproc.replay.playback.recorded import replay_recorded
from streamproc.replay.playback.timeline import (
    COPY_PARTITIONS,
    Arrival,
    Playback,
    Records,
    arrivals,
    rows_of,
)
from streamproc.replay.playback.virtual import Attach, Replayed, Sent, replay_virtual

__all__ = [
    "COPY_PARTITIONS",
    "Arrival",
    "Attach",
    "Playback",
    "Records",
    "ReplayMachine",
    "Replayed",
    "Sent",
    "Silent",
    "arrivals",
    "replay_recorded",
    "replay_virtual",
    "rows_of",
]

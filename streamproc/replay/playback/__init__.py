"""A recording through the pipeline again: on the virtual clock, by its schedule log, or at the wall clock's pace.

capture = CaptureReader("day.mcap")
executors = answering(config)
replayed = replay_virtual(
    config,
    arrivals(capture.records, Playback(load=3.0)),
    executors=executors,
    machine=timing(config, executors, capture).machine,
    seed=7,
)
replayed.accounts.summary(replayed.duration_s, 0.0)
"""

from streamproc.replay.playback.answering import Timing, answering, timing
from streamproc.replay.playback.environment import environment, environment_differences
from streamproc.replay.playback.machine import ReplayMachine, Silent
from streamproc.replay.playback.of_capture import (
    recorded_sends_ns,
    recorded_sweeps,
    schedule_of,
)
from streamproc.replay.playback.output import CaptureOutput, output_metadata
from streamproc.replay.playback.recorded import replay_recorded
from streamproc.replay.playback.reproduced import Comparison, Reproduced
from streamproc.replay.playback.timeline import (
    COPY_PARTITIONS,
    Arrival,
    Playback,
    Records,
    arrivals,
    rows_of,
)
from streamproc.replay.playback.virtual import Attach, Disturbance, Replayed, Sent, replay_virtual

__all__ = [
    "COPY_PARTITIONS",
    "Arrival",
    "Attach",
    "CaptureOutput",
    "Comparison",
    "Disturbance",
    "Playback",
    "Records",
    "ReplayMachine",
    "Replayed",
    "Reproduced",
    "Sent",
    "Silent",
    "Timing",
    "answering",
    "arrivals",
    "environment",
    "environment_differences",
    "output_metadata",
    "recorded_sends_ns",
    "recorded_sweeps",
    "replay_recorded",
    "replay_virtual",
    "rows_of",
    "schedule_of",
    "timing",
]

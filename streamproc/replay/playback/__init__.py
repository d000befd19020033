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

from streamproc.connectors.playback import (
    COPY_PARTITIONS,
    Arrival,
    Playback,
    PlayedSource,
    Records,
    arrivals,
    rows_of,
)
from streamproc.replay.playback.answering import Timing, answering, timing, without_transactions
from streamproc.replay.playback.local_sink import LocalSink
from streamproc.replay.playback.machine import ReplayMachine, Silent
from streamproc.replay.playback.objectives import ObjectiveReplay
from streamproc.replay.playback.of_capture import (
    recorded_sends_ns,
    recorded_sweeps,
    schedule_of,
)
from streamproc.replay.playback.output import CaptureOutput
from streamproc.replay.playback.produce import Produced, produce, same_cluster
from streamproc.replay.playback.recorded import replay_recorded
from streamproc.replay.playback.reproduced import Comparison, Reproduced
from streamproc.replay.playback.tables import TableHistory, TableReplay, table_history
from streamproc.replay.playback.virtual import Attach, Disturbance, Replayed, replay_virtual

__all__ = [
    "COPY_PARTITIONS",
    "Arrival",
    "Attach",
    "CaptureOutput",
    "Comparison",
    "Disturbance",
    "LocalSink",
    "ObjectiveReplay",
    "Playback",
    "PlayedSource",
    "Produced",
    "Records",
    "ReplayMachine",
    "Replayed",
    "Reproduced",
    "Silent",
    "TableHistory",
    "TableReplay",
    "Timing",
    "answering",
    "arrivals",
    "produce",
    "recorded_sends_ns",
    "recorded_sweeps",
    "replay_recorded",
    "replay_virtual",
    "rows_of",
    "same_cluster",
    "schedule_of",
    "table_history",
    "timing",
    "without_transactions",
]

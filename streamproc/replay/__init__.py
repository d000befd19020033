"""Recorded traffic, played again: the recording, its schedule, the player, and a look from the outside."""

from streamproc.replay.audit import Audit, Seen
from streamproc.replay.files import SAMPLES, open_recording
from streamproc.replay.outside_process import OutsideProcess, OutsideWork
from streamproc.replay.player import Played, play
from streamproc.replay.recorded import Playable, Recorded
from streamproc.replay.recording import Recording
from streamproc.replay.sample_recording import SampleRecording
from streamproc.replay.schedule import Schedule
from streamproc.replay.signal_recording import SignalRecording, Signals

__all__ = [
    "SAMPLES",
    "Audit",
    "OutsideProcess",
    "OutsideWork",
    "Playable",
    "Played",
    "Recorded",
    "Recording",
    "SampleRecording",
    "Schedule",
    "Seen",
    "SignalRecording",
    "Signals",
    "open_recording",
    "play",
]

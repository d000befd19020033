"""Recorded traffic, played again: the recording, its schedule, the player, and a look from the outside."""

from streamproc.replay.audit import Audit, Seen
from streamproc.replay.outside_process import OutsideProcess, OutsideWork
from streamproc.replay.player import Played, play
from streamproc.replay.recording import Recorded, Recording
from streamproc.replay.schedule import Schedule

__all__ = [
    "Audit",
    "OutsideProcess",
    "OutsideWork",
    "Played",
    "Recorded",
    "Recording",
    "Schedule",
    "Seen",
    "play",
]

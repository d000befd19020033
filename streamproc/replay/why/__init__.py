"""Why an event was late or shed, and the smallest change that would have saved it."""

from streamproc.replay.why.answer import Answer, answer, explain
from streamproc.replay.why.changes import Change
from streamproc.replay.why.setting import Setting
from streamproc.replay.why.story import Ended, Story
from streamproc.replay.why.window import Window, read_window

__all__ = [
    "Answer",
    "Change",
    "Ended",
    "Setting",
    "Story",
    "Window",
    "answer",
    "explain",
    "read_window",
]

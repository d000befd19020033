"""Files in Kafka's place: events from a recording or from JSON lines, decisions into JSON lines."""

from streamproc.connectors.files.options import CaptureSource, FileSink, FileSource, topic_of
from streamproc.connectors.files.reading import EventTimes, played_source
from streamproc.connectors.files.sink import LinesSink

__all__ = [
    "CaptureSource",
    "EventTimes",
    "FileSink",
    "FileSource",
    "LinesSink",
    "played_source",
    "topic_of",
]

"""Recordings as sources: what is played when, and a source that plays it at the pace of a clock."""

from streamproc.connectors.playback.played import PlayedSource
from streamproc.connectors.playback.timeline import (
    COPY_PARTITIONS,
    Arrival,
    Playback,
    Records,
    arrivals,
    rows_of,
)

__all__ = [
    "COPY_PARTITIONS",
    "Arrival",
    "Playback",
    "PlayedSource",
    "Records",
    "arrivals",
    "rows_of",
]

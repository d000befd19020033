"""Dead letters, read back: which there are, why, and how they are put back to where they came from."""

from streamproc.runtime.dead_letters.letter import (
    FROM_HEADER,
    REDRIVEN_HEADER,
    Filter,
    Letter,
    Place,
    returned,
    why_not_returned,
)
from streamproc.runtime.dead_letters.topic import DeadLetterTopic, Redriven

__all__ = [
    "FROM_HEADER",
    "REDRIVEN_HEADER",
    "DeadLetterTopic",
    "Filter",
    "Letter",
    "Place",
    "Redriven",
    "returned",
    "why_not_returned",
]

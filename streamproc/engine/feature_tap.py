"""Who looks on when features are made: drift is measured, and training data written, of what the model is given."""

from typing import Protocol

from streamproc.core import EventBatch, TopicPartition


class FeatureTap(Protocol):
    """Is shown the features of events, a batch at a time."""

    def made(self, source: TopicPartition, events: EventBatch) -> None:
        """Features were made.

        Args:
            source: where the events came from.
            events: with their inputs; before those are rejected that hold a NaN or an infinity.
        """
        ...

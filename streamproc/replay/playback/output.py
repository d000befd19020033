"""What comes out of a replay, written as a recording: decisions and outcomes, as a live run's are."""

from collections.abc import Callable

from streamproc.connectors.capture import CaptureWriter
from streamproc.core import BoolArray, Int64Array, OutRecords, TopicPartition
from streamproc.engine import Settled
from streamproc.runtime import outcome_columns, sent_batch


class CaptureOutput:
    """Writes a replay's decisions and outcomes; implements ``engine.Tap``.

    Args:
        writer: takes them.
        now_ns: the instant of the replay.
    """

    def __init__(self, writer: CaptureWriter, now_ns: Callable[[], int]) -> None:
        self._writer = writer
        self._now_ns = now_ns

    def sent(
        self, source: TopicPartition, offset: Int64Array, records: OutRecords, settled: Settled
    ) -> None:
        """Records are about to be sent."""
        self._writer.sent(sent_batch(source, offset, records, settled, self._now_ns()))

    def ended(
        self,
        source: TopicPartition,
        offset: Int64Array,
        settled: Settled,
        missed: BoolArray,
        final_ns: int,
    ) -> None:
        """Outcomes are final."""
        self._writer.outcomes(outcome_columns(source, offset, settled, missed, final_ns))

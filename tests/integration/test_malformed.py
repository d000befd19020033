"""A thousand malformed records on a real broker; ``make bench BENCH=malformed`` has ten thousand, and what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.malformed import REASONS, Trial
from tests.integration.pipelines import size_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kafka import KafkaBroker

COUNT = 1_000
SEED = size_of("STREAMPROC_SEED", 1)


def test_each_is_a_dead_letter_in_order_and_what_comes_before_and_after_is_decided(
    kafka: KafkaBroker, topic_name: str, tmp_path: Path
) -> None:
    with Trial(kafka, topic_name, tmp_path, SEED) as trial:
        trial.good(500)
        trial.malformed(COUNT)
        trial.good(500)
        assert trial.problems() == []
    reasons = trial.reasons()
    assert reasons.keys() == REASONS
    assert reasons.total() == COUNT

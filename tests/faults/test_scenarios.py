"""The quick scenarios of the fault suite, with one seed; ``make faults`` plays all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.run import play
from tests.faults.scenario import all_scenarios
from tests.integration.pipelines import size_of
from tests.support.kafka import KafkaCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.scenario import Scenario

SEED = size_of("STREAMPROC_SEED", 1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    with KafkaCluster() as started:
        yield started


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.parametrize(
    "scenario", [each for each in all_scenarios() if each.quick], ids=lambda each: each.name
)
def test_the_promise_is_kept(cluster: KafkaCluster, scenario: Scenario) -> None:
    result = play(cluster, scenario, SEED)
    print(f"again: make faults SEED={SEED} FAULTS={scenario.name}")
    assert result.passed, result.failure
    print(result.said)

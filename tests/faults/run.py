"""Plays scenarios on one cluster, one after the other; what came of each is a value."""

from __future__ import annotations

import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.audit import Audit
from tests.faults.scenario import Scenario
from tests.faults.stage import Stage

if TYPE_CHECKING:
    from tests.support.kafka import KafkaCluster


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a scenario.

    Attributes:
        scenario: which.
        seed: of its random numbers.
        said: figures for the table; where it failed, why.
        failure: what went wrong, with the ends of the logs; empty where nothing did.
        took_s: how long it took.
        audits: what the topics said.
    """

    scenario: Scenario
    seed: int
    said: str
    failure: str
    took_s: float
    audits: Sequence[Audit] = field(default=())

    @property
    def passed(self) -> bool:
        return not self.failure


def play(cluster: KafkaCluster, scenario: Scenario, seed: int) -> Result:
    """Play one; a failure is a result as well."""
    started = time.monotonic()
    failure = ""
    with (
        tempfile.TemporaryDirectory(prefix="streamproc-faults-") as folder,
        Stage(cluster, scenario.name, Path(folder), seed) as stage,
    ):
        try:
            scenario.act(stage)
        except Exception as error:  # noqa: BLE001 - told with the logs, and the next is played
            failure = f"{''.join(traceback.format_exception(error))}\n{stage.log_tails()}"
            stage.say(f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
    took_s = time.monotonic() - started
    return Result(scenario, seed, "; ".join(stage.said), failure, took_s, tuple(stage.audits))

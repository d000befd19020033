"""Faults of all kinds, one after the other, as the seed has it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tests.faults import nemeses
from tests.faults.scenario import scenario

if TYPE_CHECKING:
    from tests.faults.stage import Stage

LENGTH_S = 60.0
PROCESSES = 2


@scenario(
    "a minute of random faults: brokers, network and processes, one after the other",
    "nothing lost; what comes twice says the same; it works again after each",
)
def random_minute(stage: Stage) -> None:
    stage.load()
    for _ in range(PROCESSES):
        stage.start()
    stage.flows()
    end, struck = time.monotonic() + LENGTH_S, []
    while time.monotonic() < end:
        nemesis = nemeses.RANDOM[int(stage.rng.integers(len(nemeses.RANDOM)))]
        struck.append(nemesis.__name__)
        nemesis(stage)
        stage.pause(0.0, 2.0)
        stage.supervise(PROCESSES)
        stage.flows(200)
    stage.say(f"{', '.join(struck)}: {stage.finish()}")

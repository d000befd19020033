"""A broker dies under a load worth the name: how long nothing is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import nemeses
from tests.faults.scenario import scenario

if TYPE_CHECKING:
    from tests.faults.stage import Stage

RATE = 5_000


@scenario(
    "one of three brokers is killed under 5,000 events/s, and stays away for ten seconds",
    "nothing lost or repeated; decisions flow again within 5 s (measured on a machine that does nothing else)",
)
def broker_kill_at_speed(stage: Stage) -> None:
    stage.load(RATE)
    stage.start()
    stage.flows(3 * RATE)
    nemeses.kill_broker(stage, 10.0)
    stage.flows(3 * RATE)
    found = stage.finish(repeats_max=0)
    stage.say(f"{found}; the longest time without a decision was {found.gap_s:.1f} s")

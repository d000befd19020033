"""Members of the group come, go, hang and die."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import nemeses
from tests.faults.scenario import scenario

if TYPE_CHECKING:
    from tests.faults.stage import Stage

STORM_ROUNDS = 6


@scenario(
    "a process stands still for longer than its session (SIGSTOP), and goes on as a zombie",
    "its partitions are decided by the other; nothing lost; what the zombie still sends says the same",
    quick=True,
    shares=True,
)
def zombie(stage: Stage) -> None:
    stage.load()
    config = stage.config()
    for _ in range(2):
        stage.start(config)
    stage.flows(1_000)
    nemeses.stop_process(stage)
    stage.flows(1_000)
    stage.say(str(stage.finish()))


@scenario(
    "members join, leave and are killed without a pause: the group rebalances again and again",
    "nothing lost; what comes twice says the same",
    shares=True,
)
def rebalance_storm(stage: Stage) -> None:
    stage.load()
    for _ in range(3):
        stage.start()
    stage.flows()
    for _ in range(STORM_ROUNDS):
        fault = nemeses.end_process if stage.rng.random() < 0.5 else nemeses.kill_process
        fault(stage)
        stage.pause(0.2, 4.0)
    stage.flows()
    stage.say(f"{STORM_ROUNDS} members replaced; {stage.finish()}")

"""SIGKILL at the points of an event's way where it would hurt most."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.scenario import Scenario, register
from tests.faults.victim import KILL_POINTS

if TYPE_CHECKING:
    from tests.faults.scenario import Act
    from tests.faults.stage import Stage

DEATHS = 2
_QUICK = "after_acknowledgement"


def killed_at(point: str) -> Act:
    """A process dies at a point, its successor dies there as well, and the third goes on."""

    def act(stage: Stage) -> None:
        stage.load()
        config = stage.config()
        passes = [int(stage.rng.integers(1, 40)) for _ in range(DEATHS)]
        for nth in passes:
            victim = stage.start(config, fault=f"{point}:{nth}")
            assert victim.process.wait(120) < 0, victim.log_tail()
        stage.start(config)
        stage.flows()
        found = stage.finish()
        stage.say(f"killed at passes {', '.join(map(str, passes))}; {found}")

    return act


for _point in KILL_POINTS:
    register(
        Scenario(
            name=f"kill_{_point}",
            fault=f"SIGKILL {_point.replace('_', ' ')}, twice in a row",
            promise="nothing lost; what comes twice says the same",
            act=killed_at(_point),
            quick=_point == _QUICK,
            shares=True,
        )
    )

"""Brokers die, are shut down, and come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import nemeses
from tests.faults.scenario import scenario

if TYPE_CHECKING:
    from tests.faults.stage import Stage


def under(stage: Stage, nemesis: nemeses.Nemesis, *, repeats_max: int | None = 0) -> None:
    """One process works, a fault comes and goes, it works again.

    Where nothing is to be repeated, the producer lives through the fault: one that is made anew, after
    ``delivery_timeout``, cannot know what of its predecessor's had arrived.
    """
    patience = "30s" if repeats_max is None else "5m"
    stage.load()
    stage.start(stage.config(sink_changes={"delivery_timeout": patience}))
    stage.flows()
    nemesis(stage)
    stage.flows()
    found = stage.finish(repeats_max=repeats_max)
    stage.say(f"{found}; the longest time without a decision was {found.gap_s:.1f} s")


@scenario(
    "one of three brokers is killed, and comes back",
    "nothing lost or repeated; decisions flow on from the other two",
    quick=True,
)
def broker_kill(stage: Stage) -> None:
    under(stage, nemeses.kill_broker)


@scenario(
    "all brokers are killed, and come back a minute later",
    "nothing lost; repeats, which say the same, as `delivery_timeout` (30 s) has passed and the producer was made anew",
)
def all_brokers_down(stage: Stage) -> None:
    under(stage, lambda stage: nemeses.kill_all_brokers(stage, 60.0), repeats_max=None)


@scenario("all brokers are killed, and come back after five seconds", "nothing lost or repeated")
def all_brokers_restart(stage: Stage) -> None:
    under(stage, nemeses.kill_all_brokers)


@scenario("the group's coordinator is shut down and another takes over", "nothing lost or repeated")
def coordinator_moved(stage: Stage) -> None:
    under(stage, nemeses.stop_coordinator)

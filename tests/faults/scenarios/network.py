"""What a network does to connections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import nemeses
from tests.faults.scenario import scenario
from tests.faults.scenarios.brokers import under

if TYPE_CHECKING:
    from tests.faults.stage import Stage


@scenario(
    "acknowledgements are lost: records arrive, their producer is never told",
    "sent again, and known by the broker as the same: nothing lost or repeated",
    quick=True,
)
def lost_acknowledgement(stage: Stage) -> None:
    under(stage, nemeses.lose_acknowledgements)


@scenario("50 to 150 ms of delay in either direction", "slower; nothing lost or repeated")
def latency(stage: Stage) -> None:
    under(stage, nemeses.slow_network)


@scenario("connections carry 20 to 60 kB/s", "slower; nothing lost or repeated")
def bandwidth(stage: Stage) -> None:
    under(stage, nemeses.narrow_network)


@scenario(
    "half-open connections: they stand, are accepted anew, and nothing comes through",
    "nothing lost or repeated; the pipeline works again by itself",
)
def half_open(stage: Stage) -> None:
    under(stage, lambda stage: nemeses.silent_network(stage, 20.0))


@scenario("all connections are reset, several times", "nothing lost or repeated")
def cut_connections(stage: Stage) -> None:
    under(stage, nemeses.cut_network)

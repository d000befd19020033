"""``delivery: exactly_once`` under the same faults: no outcome is there twice for whoever reads committed records."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults import nemeses
from tests.faults.scenario import Scenario, register
from tests.faults.scenarios.kills import killed_at
from tests.faults.scenarios.random_minute import random_minute
from tests.faults.victim import TRANSACTION_POINTS

if TYPE_CHECKING:
    from tests.faults.scenario import Act
    from tests.faults.stage import Stage

PROMISE = (
    "each event has one outcome for those who read committed records: nothing lost, nothing twice"
)
_QUICK = "in_transaction"


def _exactly_once(act: Act) -> Act:
    def with_transactions(stage: Stage) -> None:
        stage.delivery = "exactly_once"
        act(stage)

    return with_transactions


def _of_two(nemesis: nemeses.Nemesis) -> Act:
    """Two processes of a group work, a fault comes and goes, they work again."""

    def act(stage: Stage) -> None:
        stage.load()
        for _ in range(2):
            stage.start()
        stage.joined(2)
        stage.flows()
        nemesis(stage)
        stage.supervise(2)
        stage.flows()
        stage.say(str(stage.finish(repeats_max=0)))

    return act


_FAULTS: dict[str, tuple[str, Act]] = {
    "zombie": (
        "a process stands still for longer than its session, and goes on as a zombie",
        _of_two(nemeses.stop_process),
    ),
    "kill": ("SIGKILL of one of two processes", _of_two(nemeses.kill_process)),
    "broker_kill": ("one of three brokers is killed, and comes back", _of_two(nemeses.kill_broker)),
    "brokers_restart": (
        "all brokers are killed, and come back after five seconds",
        _of_two(nemeses.kill_all_brokers),
    ),
    "coordinator_moved": (
        "the group's coordinator is shut down and another takes over",
        _of_two(nemeses.stop_coordinator),
    ),
    "lost_acknowledgement": (
        "acknowledgements are lost: records arrive, their producer is never told",
        _of_two(nemeses.lose_acknowledgements),
    ),
    "half_open": ("nothing comes through for six seconds", _of_two(nemeses.silent_network)),
    "cut_connections": ("all connections are reset, several times", _of_two(nemeses.cut_network)),
    "random_minute": ("a minute of random faults, one after the other", random_minute),
}

for _point in TRANSACTION_POINTS:
    register(
        Scenario(
            name=f"exactly_once_kill_{_point}",
            fault=f"SIGKILL {_point.replace('_', ' ')}, twice in a row",
            promise=PROMISE,
            act=_exactly_once(killed_at(_point)),
            quick=_point == _QUICK,
            shares=True,
        )
    )
for _name, (_fault, _act) in _FAULTS.items():
    _full = f"exactly_once_{_name}"
    register(
        Scenario(_full, _fault, PROMISE, _exactly_once(_act), shares=_name in {"zombie", "kill"})
    )

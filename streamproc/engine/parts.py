"""What an engine is made of."""

from dataclasses import dataclass

from streamproc.core import Clock
from streamproc.engine.conclude import Concluder
from streamproc.engine.escalation import Escalation
from streamproc.engine.intake import Intake
from streamproc.engine.offering import Offering
from streamproc.engine.partitions import PartitionTable
from streamproc.engine.requests import Requests
from streamproc.engine.rollout import Rollout
from streamproc.engine.screen import Screen
from streamproc.engine.settlement import Settlement
from streamproc.engine.stateful import StatefulModel
from streamproc.engine.stopping import Stopping
from streamproc.scheduling import ArmedScheduler
from streamproc.telemetry import Accounts


@dataclass(frozen=True, slots=True)
class EngineParts:
    """What an engine is made of.

    Attributes:
        clock: for the time that decoding takes; all other instants are handed in.
        intake: records to events.
        screen: what need not be decoded.
        offering: what the scheduler is told of events.
        scheduler: which events run when.
        concluder: outputs to decisions, and what is sent for events that are not decided.
        settlement: when outcomes are final.
        partitions: the owned partitions.
        accounts: the books.
        rollout: the models that are tried beside the one that decides.
        stateful: what is kept for a model that carries state; None for one that does not.
        requests: of the front door; None where it is closed.
        stopping: says when a batch is to be stopped; None where none ever is.
        escalation: asks better variants where a cheap one is unsure; None where each event is answered once.
    """

    clock: Clock
    intake: Intake
    screen: Screen
    offering: Offering
    scheduler: ArmedScheduler
    concluder: Concluder
    settlement: Settlement
    partitions: PartitionTable
    accounts: Accounts
    rollout: Rollout
    stateful: StatefulModel | None = None
    requests: Requests | None = None
    stopping: Stopping | None = None
    escalation: Escalation | None = None

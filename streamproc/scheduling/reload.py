"""What a scheduler can change while it runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamproc.scheduling.ladder import Variant
from streamproc.scheduling.lanes import LaneSpec
from streamproc.scheduling.options import Batching
from streamproc.scheduling.policies import ShedPolicy


@dataclass(frozen=True, slots=True)
class Reload:
    """What a scheduler can change while it runs; whose lanes stay the same but for their budgets and shares.

    Attributes:
        batching: how micro-batches are made.
        shed: the policies; those that need keys or values (``conflate``, ``utility``) as they were.
        variants: the model's variants, the best first.
        lanes: the lanes.
        send_ceiling_ns: the most that is allowed for sending.
    """

    batching: Batching
    shed: Sequence[ShedPolicy]
    variants: Sequence[Variant]
    lanes: Sequence[LaneSpec]
    send_ceiling_ns: int

"""What is done about a burning budget, and when it is given back: down at once, up with hysteresis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from streamproc.slo.options import OnBurn
from streamproc.slo.watch import Standing


@dataclass(frozen=True, slots=True)
class Measures:
    """What holds beside the configuration.

    Attributes:
        variant: this variant of the model or a cheaper one decides; None for any.
        max_queue: what comes while so many events wait is shed; None for the configuration's own rule.
        because: the objectives whose budgets burn.
        roll_back: whether a canary is to be taken back.
    """

    variant: str | None = None
    max_queue: int | None = None
    because: tuple[str, ...] = ()
    roll_back: bool = False


class Brake:
    """Of one objective.

    Args:
        options: what the user asked for.
    """

    def __init__(self, options: OnBurn) -> None:
        self.options = options
        self.engaged = False
        self._calm_since_ns: int | None = None

    def update(self, now_ns: int, standing: Standing) -> bool:
        """Look at the objective; True where something changed.

        It grips where an alert fires, and lets go when none has fired, and no short window has burned faster than the
        budget allows, for ``hold``: the alert itself ends far above that, and would come back with the next batch.
        """
        if standing.fires(self.options.at):
            changed, self.engaged, self._calm_since_ns = not self.engaged, True, None
            return changed
        if not self.engaged or standing.smoulders:
            self._calm_since_ns = None
            return False
        if self._calm_since_ns is None:
            self._calm_since_ns = now_ns
        if now_ns - self._calm_since_ns < self.options.hold:
            return False
        self.engaged, self._calm_since_ns = False, None
        return True


def measures_of(brakes: Iterable[tuple[str, Brake]], ladder: Sequence[str]) -> Measures:
    """The strictest of what is asked for now.

    Args:
        brakes: by the objective's name.
        ladder: the names of the model's variants, the best one's first.
    """
    engaged = [(name, brake.options) for name, brake in brakes if brake.engaged]
    variants = [options.variant for _, options in engaged if options.variant in ladder]
    queues = [options.max_queue for _, options in engaged if options.max_queue is not None]
    return Measures(
        variant=max(variants, key=lambda name: ladder.index(name or ""), default=None),
        max_queue=min(queues, default=None),
        because=tuple(name for name, _ in engaged),
        roll_back=any(options.roll_back for _, options in engaged),
    )

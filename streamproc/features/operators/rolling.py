"""Statistics of a key's last events: rolling count, sum, mean, standard deviation, least, most, rate, z-score."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from streamproc.codecs import FieldType
from streamproc.core import Columns
from streamproc.features.operators.operator import NUMBER, View, field_of, require_taken
from streamproc.features.operators.statistics import Statistic, Statistics
from streamproc.features.operators.windowed import Windowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolling(Windowed):
    """Statistics over the key's last events, this one among them.

    Each is a function of the members of the window alone, which are taken in the order of their offsets: nothing is
    added and taken off again, so that nothing drifts, and a restart gives the same bits.

    Attributes:
        take: which statistics: ``count``, ``sum``, ``mean``, ``std`` and ``variance`` (of the sample, n - 1), ``min``,
            ``max``, ``rate`` (members per second, for ``time``), ``z_score`` (how many ``std`` this event's own value
            lies above the ``mean``).
        fill: the value of a statistic that there is not: of no members, the deviation of one, the score where all
            members are alike.
        as_: what the names of the statistics begin with; ``price_50`` or ``price_5s`` by default.
    """

    take: Sequence[Statistic]

    def __post_init__(self) -> None:
        Windowed.__post_init__(self)
        require_taken(self.take, get_args(Statistic))
        if "rate" in self.take and self.time is None:
            msg = "rate is for a window of time: write time, or take count"
            raise ValueError(msg)

    @property
    def _begin(self) -> str:
        return self.as_ or self._window_name

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        field_of(fields, self.field)
        return {f"{self._begin}_{name}": NUMBER for name in self.take}

    def compute(self, view: View) -> Columns:
        """See ``Operator``."""
        window, values = self._members(view)
        made = Statistics(window, values, view.numbers(self.field), self.fill, self.time or 0)
        return {f"{self._begin}_{name}": made.take(name) for name in self.take}

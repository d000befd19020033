"""The interval join: an event with all of another kind that happened within a time of it, before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from streamproc.codecs import FieldType
from streamproc.core import Columns, Duration
from streamproc.features.operators.operator import (
    EVENTS_MAX,
    NUMBER,
    Need,
    View,
    field_of,
    refuse,
    require_taken,
)

Aggregate = Literal["count", "sum", "mean", "std", "variance", "min", "max", "first", "last"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What the key's events that match ``when`` were, from ``before`` this one happened until ``after`` it, both ends included.

    As Kafka Streams' join of two streams within a window, but with one row for each event, not for each pair: the
    matching events are aggregated. It needs ``reorder``, which knows when all of them are there: with ``after`` an
    event waits for so much longer. The event itself is not among them.

    Attributes:
        when: which events are the other side, such as ``topic == 'quotes'``.
        fields: decoded fields of theirs.
        take: what is made of each field: ``sum``, ``mean``, ``std`` and ``variance`` (of the sample, n - 1), ``min``,
            ``max``, ``first`` and ``last`` (by event time). ``count`` is one number, of no field.
        before: how long before this event the other may have happened.
        after: how long after it.
        max_events: of more, the last ones by time count.
        missing: where there is none: ``fill``, or the event becomes a ``dead_letter`` with reason ``no_partner``.
        fill: the value of what there is not, but for ``count`` and ``sum``, which are 0 then.
        as_: what the names begin with: ``interval_count``, ``interval_price_mean``.
    """

    when: str
    before: Duration
    after: Duration = Duration(0)  # noqa: RUF009 - immutable
    fields: Sequence[str] = ()
    take: Sequence[Aggregate] = ("count",)
    max_events: int = 256
    missing: Literal["fill", "dead_letter"] = "fill"
    fill: float = 0.0
    as_: str = "interval"

    def __post_init__(self) -> None:
        require_taken(self.take, get_args(Aggregate))
        if self.before < 0 or self.after < 0:
            msg = "before and after must not be below 0"
            raise ValueError(msg)
        if not 1 <= self.max_events <= EVENTS_MAX:
            msg = f"max_events must be from 1 to {EVENTS_MAX}, was {self.max_events}"
            raise ValueError(msg)
        if bool(self.fields) != any(name != "count" for name in self.take):
            msg = "fields and take belong together: what but count is taken, is taken of fields"
            raise ValueError(msg)

    @property
    def need(self) -> Need | None:
        """Nothing: what it joins is kept by the order of events."""
        return None

    @property
    def matches(self) -> str:
        """The column that says how many there are, whether or not it is taken."""
        return f"_{self.as_}_matches"

    def names(self) -> dict[str, tuple[str, Aggregate]]:
        """By the names of what it makes: of which field, and what."""
        made: dict[str, tuple[str, Aggregate]] = {}
        for what in self.take:
            if what == "count":
                made[f"{self.as_}_count"] = ("", what)
            else:
                made |= {f"{self.as_}_{field}_{what}": (field, what) for field in self.fields}
        return made

    def outputs(self, fields: Mapping[str, FieldType]) -> dict[str, FieldType]:
        """See ``Operator``."""
        for name in self.fields:
            field_of(fields, name)
        return dict.fromkeys(self.names(), NUMBER)

    def compute(self, view: View) -> Columns:
        """See ``Operator``; they were made before, when the event's turn came."""
        if self.missing == "dead_letter":
            refuse(view, "no_partner", view.columns[self.matches] == 0)
        return {name: view.columns[name] for name in self.names()}

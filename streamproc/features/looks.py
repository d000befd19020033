"""What an operator looks at: which columns, which events, and how far back."""

from collections.abc import Collection, Mapping

from streamproc.codecs import FieldType
from streamproc.features.expressions import Expression
from streamproc.features.operators import Cumulative, Custom, Formula, Interval
from streamproc.features.options import Feature, FeatureState


def reach_ns(operator: Feature, state: FeatureState) -> int | None:
    """How long before an event an operator looks; None for no bound."""
    if isinstance(operator, Cumulative):
        return None
    if isinstance(operator, Custom):
        if not operator.state:
            return 0
        return None if operator.remembers is None else int(operator.remembers)
    if isinstance(operator, Interval):
        return int(operator.before)
    if operator.need is None:
        return 0
    bounds = (operator.need.time_ns, None if state.ttl is None else int(state.ttl))
    return min((ns for ns in bounds if ns is not None), default=None)


def when(operator: Feature) -> str | None:
    """For which events an operator remembers anything; None for all, or for none."""
    if isinstance(operator, Cumulative | Interval):
        return operator.when
    return None if operator.need is None else operator.need.when


def used(operator: Feature, fields: Mapping[str, FieldType]) -> Collection[str]:
    """The columns that an operator takes; the user's function may take any."""
    if isinstance(operator, Custom):
        return fields
    if isinstance(operator, Formula):
        types = {name: str(kind) for name, kind in fields.items()}
        return Expression.parse(operator.of, types).fields
    if operator.need is not None:
        return operator.need.fields
    field: str = getattr(operator, "field", "")
    return [field]


def most(reach_ns: Collection[int | None]) -> int | None:
    """The furthest; None where one has no bound."""
    known = [ns for ns in reach_ns if ns is not None]
    return max(known, default=0) if len(known) == len(reach_ns) else None

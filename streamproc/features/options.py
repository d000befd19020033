"""What a user can set of features: the operators by name, and the bounds of what is remembered."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from streamproc.core import Duration, Size
from streamproc.features.changelog import ChangelogTopic
from streamproc.features.operators import (
    AsOf,
    Bucket,
    Cast,
    ClosedWindow,
    Cumulative,
    Custom,
    Difference,
    Ewm,
    Formula,
    Hash,
    Interval,
    KeySequence,
    Lag,
    Last,
    Lookup,
    OneHot,
    Quantile,
    Return,
    Rolling,
    Scale,
    TimeSince,
)

Feature: TypeAlias = (
    Cast
    | Scale
    | Formula
    | OneHot
    | Hash
    | Bucket
    | Last
    | Lag
    | Difference
    | Return
    | TimeSince
    | Rolling
    | ClosedWindow
    | Quantile
    | Ewm
    | Cumulative
    | KeySequence
    | AsOf
    | Interval
    | Lookup
    | Custom
)
FEATURES: dict[str, type[Feature]] = {
    "cast": Cast,
    "scale": Scale,
    "formula": Formula,
    "one_hot": OneHot,
    "hash": Hash,
    "bucket": Bucket,
    "last": Last,
    "lag": Lag,
    "difference": Difference,
    "return": Return,
    "time_since": TimeSince,
    "rolling": Rolling,
    "window": ClosedWindow,
    "quantile": Quantile,
    "ewm": Ewm,
    "cumulative": Cumulative,
    "sequence": KeySequence,
    "as_of": AsOf,
    "interval": Interval,
    "lookup": Lookup,
    "custom": Custom,
}
"""By the names in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureState:
    """Bounds of what is remembered of keys, and how it comes back after a restart.

    Attributes:
        ttl: an event is a member of no window of an event that happened more than this later. It bounds windows by
            events, which would have no bound in time; needed where there is one, unless nothing is restored.
        max_keys: keys remembered at once; where there are more, those not seen for longest are forgotten, and
            ``streamproc_feature_keys_evicted_total`` counts them.
        max_bytes: memory for all keys; ``max_keys`` is lowered to what fits.
        grace: how far an event may be behind the newest one of its partition, by event time. What comes later is
            too late.
        late: what becomes of an event that is too late: a ``dead_letter`` with reason ``too_late``, or it is decided
            with whatever is still remembered, which need not be the same after a restart.
        restore: ``rewind`` reads again what the windows hold when a partition is assigned, without deciding about it;
            ``none`` begins with nothing. With a changelog it does not matter.
        skew: how much an event's time and its record's timestamp may differ; rewinding goes back so much more.
        changelog: a topic that what is remembered is written to, and read from when a partition is assigned; null
            rewinds. Needed for what has no bound in time.
        on_gap: ``keep`` allows that events are shed before they are decoded, so that nothing remembers them; null
            refuses settings that do so, and decodes what would be shed undecoded.
    """

    ttl: Duration | None = None
    max_keys: int = 100_000
    max_bytes: Size = Size.parse("1GiB")  # noqa: RUF009 - immutable
    grace: Duration = Duration.parse("10s")  # noqa: RUF009 - immutable
    late: Literal["dead_letter", "decide"] = "dead_letter"
    restore: Literal["rewind", "none"] = "rewind"
    skew: Duration = Duration.parse("5s")  # noqa: RUF009 - immutable
    changelog: ChangelogTopic | None = None
    on_gap: Literal["keep"] | None = None

    def __post_init__(self) -> None:
        if self.max_keys < 1:
            msg = f"max_keys must be at least 1, was {self.max_keys}"
            raise ValueError(msg)
        if self.changelog is not None and self.restore == "none":
            msg = "restore none and a changelog exclude each other: remove one"
            raise ValueError(msg)

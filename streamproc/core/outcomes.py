"""What can become of an event, and why.

Every event consumed ends in exactly one ``Outcome``. The codes are small integers so that a batch's
outcomes are one uint8 column that ``numpy.bincount`` counts.
"""

from enum import IntEnum, StrEnum


class Outcome(IntEnum):
    """How an event ended; the name in lower case is the word on the wire and in metrics."""

    ON_TIME = 0
    """Decided by the best variant, before its deadline."""
    DEGRADED = 1
    """Decided in time by a cheaper variant."""
    LATE = 2
    """Decided after its deadline, and said so."""
    SHED = 3
    """Not decided: it could not have been in time (the reason says why)."""
    DEAD_LETTER = 4
    """Undecodable, invalid, or the user's code or the model failed on it."""
    FILTERED = 5
    """Left out by the user's rule."""
    ABSORBED = 6
    """Changed state only: a join's side, a window's member."""

    @property
    def word(self) -> str:
        """The word on the wire and in metrics, such as ``on_time``."""
        return self.name.lower()


class Reason(StrEnum):
    """Why an event was shed or dead-lettered: a metric's label, so the words are few and fixed."""

    NONE = ""
    EXPIRED = "expired"
    """Shed: its deadline is past, or nearer than the soonest answer."""
    PLANNER = "planner"
    """Shed: answering it would have cost more others their answers."""
    TAIL_DROP = "tail_drop"
    """Shed: too many were waiting when it came."""
    CONFLATE = "conflate"
    """Shed: a newer event of its key came before it was decided."""
    PRIORITY = "priority"
    """Shed: more waited than could be in time, and it was in the lowest lane."""
    UTILITY = "utility"
    """Shed: more waited than could be in time, and it was worth least for what it costs."""
    CODEL = "codel"
    """Shed: the queue had been standing for too long, and it had waited longest."""

    STOPPED = "stopped"
    """Shed: its batch took so long that no answer could be in time any more, and was stopped."""

    EMPTY = "empty"
    """The value is null or has no bytes."""
    TOO_LARGE = "too_large"
    """The value, or the decision made of it, is longer than the limit."""
    UNDECODABLE = "undecodable"
    """The bytes are not of the codec's format."""
    UNKNOWN_SCHEMA = "unknown_schema"
    """The schema registry does not know the schema that the value names, or could not be asked for it."""
    SCHEMA_VIOLATION = "schema_violation"
    """The value is not as its JSON Schema says."""
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    WRONG_LENGTH = "wrong_length"
    NOT_FINITE = "not_finite"
    """A NaN or an infinity where a number is needed."""
    FEATURES_FAILED = "features_failed"
    """The user's feature function raised."""
    TOO_LATE = "too_late"
    """Its time is behind the newest of its partition by more than the grace of what is remembered."""
    TOO_EARLY = "too_early"
    """Its time is further ahead of its arrival than can be true, and would make others too late."""
    DUPLICATE = "duplicate"
    """Filtered: an event before it had the same value in the field that tells events apart."""
    NO_PARTNER = "no_partner"
    """A join found nothing, and its rule is that there must be something."""
    MODEL_FAILED = "model_failed"
    """The model raised."""
    MODEL_CRASHED = "model_crashed"
    """The model's own process died of it: a crash, no memory."""
    MODEL_TIMEOUT = "model_timeout"
    """The model did not answer within ``isolation.timeout``."""
    MODEL_UNAVAILABLE = "model_unavailable"
    """The model's process failed again and again, and was left alone for a while."""
    DECIDE_FAILED = "decide_failed"
    """The user's decide function raised."""

"""What every metric is: kind, labels and words, in one table.

The page of ``/metrics``, the OTLP export, ``docs/metrics.md`` and the dashboards are all made of it.
"""

from typing import Final

from streamproc.telemetry import names
from streamproc.telemetry.definition import Definition
from streamproc.telemetry.rollout_definitions import ROLLOUT_DEFINITIONS
from streamproc.telemetry.slo_definitions import SLO_DEFINITIONS

_WORKERS = "with `--workers`"
_TRACES = "with `telemetry.traces`"
_REMEMBER = "where features remember something of their keys"
_CARRIES = "with `model.state`"
_READ_AGAIN = "where features or the model remember something of keys"
_REORDER = "with `reorder`"
_CHANGELOG = "with `state.changelog`"
_DRIFT = "with `telemetry.drift`"
_PROCESSES = "where the model has processes of its own"

DEFINITIONS: Final = (
    Definition(
        names.OUTCOMES,
        "counter",
        "Events by what became of them; their sum is what was consumed.",
        ("pipeline", "lane", "outcome", "reason"),
    ),
    Definition(
        names.E2E_LATENCY,
        "histogram",
        "From event time to the broker's acknowledgement of the decision.",
        ("lane",),
    ),
    Definition(
        names.OWN_LATENCY,
        "histogram",
        "This process's part of it, from fetched to handed to the producer.",
    ),
    Definition(
        names.STAGE_LATENCY, "histogram", "Where an event's time goes, by stage.", ("stage",)
    ),
    Definition(
        names.TAIL_SECONDS,
        "counter",
        "Where the time of the slowest events went, those above the threshold, by stage.",
        ("stage",),
    ),
    Definition(names.TAIL_EVENTS, "counter", "Events that were slower than the threshold."),
    Definition(
        names.TAIL_THRESHOLD,
        "gauge",
        "From which latency an event counts as slow: the p99 of the last few thousand.",
        when="after 256 events",
    ),
    Definition(names.BATCH_SIZE, "histogram", "Events in a micro-batch."),
    Definition(names.BATCHES, "counter", "Micro-batches by why they were started.", ("reason",)),
    Definition(
        names.BATCH_ROOM,
        "counter",
        "Events that the micro-batches could have held: their sizes over it are how full they were.",
    ),
    Definition(names.DECIDED, "counter", "Events that ran through a variant.", ("variant",)),
    Definition(
        names.EXECUTOR_BUSY,
        "counter",
        "Time that micro-batches spent with a variant; over the slots, how much of the executor is used.",
        ("variant",),
    ),
    Definition(
        names.CASCADE,
        "counter",
        "Answers of each variant of a cascade: `sure`; `escalated`, a better variant answered; `no_time` for one; `failed`, it did "
        "not answer.",
        ("variant", "verdict"),
        when="with `model.cascade`",
    ),
    Definition(
        names.REQUESTS,
        "counter",
        "Requests of the front door by what became of them: `on_time`, `degraded`, `late`, `shed`, `failed`.",
        ("outcome",),
        when="with `serve`",
    ),
    Definition(names.EXECUTOR_SLOTS, "gauge", "Micro-batches that can run at the same time."),
    Definition(names.QUEUE_DEPTH, "gauge", "Events that wait for a batch.", ("lane",)),
    Definition(names.IN_FLIGHT, "gauge", "Events fetched that have no outcome yet."),
    Definition(names.FETCHED, "counter", "Events taken from the source."),
    Definition(
        names.CONSUMER_LAG_RECORDS,
        "gauge",
        "Records still to be fetched.",
        ("topic", "partition"),
        when="while partitions are assigned",
    ),
    Definition(
        names.CONSUMER_LAG,
        "gauge",
        "How old the newest record that was fetched is, of the partition most behind: what is still to be fetched "
        "is no older. 0 where nothing is.",
        when="while partitions are assigned",
    ),
    Definition(
        names.WATERMARK,
        "gauge",
        "The latest event time that was fetched, in seconds since 1970.",
        ("topic", "partition"),
        when="once something was fetched",
    ),
    Definition(
        names.EVENT_TIME_SKEW,
        "gauge",
        "How far a source's clock is off; positive is behind ours.",
        ("source",),
        when="once it is known",
    ),
    Definition(
        names.DEMAND_WORKERS,
        "gauge",
        "Workers that would meet the objective for what is offered; sum it over the workers.",
    ),
    Definition(
        names.VARIANT_LEVEL,
        "gauge",
        "The variant that decides now, 0 being the best.",
        when="with several variants",
    ),
    Definition(names.LOOP_LAG, "gauge", "How late the event loop last was."),
    Definition(names.GC_PAUSE, "histogram", "How long the garbage collector held everything up."),
    Definition(names.SKIPPED, "counter", "Records that were never fetched, by why.", ("reason",)),
    Definition(
        names.ACKED_LATE, "counter", "Decisions sent in time, acknowledged after their deadline."
    ),
    Definition(names.HANDED_BACK, "counter", "Events fetched and given up before their outcome."),
    Definition(
        names.WRONG_EVENT_TIMES,
        "counter",
        "Events whose time was further ahead than deadline.max_future.",
    ),
    Definition(names.UNREAD_DEADLINES, "counter", "Headers x-deadline-ns that are no number."),
    Definition(names.TRACES_EXPORTED, "counter", "Traces that the collector has taken."),
    Definition(
        names.TRACES_DROPPED,
        "counter",
        "Traces that it has not: it did not answer, or too many waited.",
    ),
    Definition(
        names.TRACES_SUPPRESSED,
        "counter",
        "Events that `always` asks a trace of and that have none: more than 100 of an outcome in a second.",
        ("outcome",),
        when=_TRACES,
    ),
    Definition(
        names.RECORDER_DROPPED,
        "counter",
        "Records, decisions and outcomes that a recording lacks: too much waited, or the disk was full.",
    ),
    Definition(
        names.AHEAD_OF_CLOCK,
        "counter",
        "Decisions acknowledged before their own event time: the producer's clock is ahead.",
    ),
    Definition(names.WORKERS, "gauge", "Worker processes.", ("state",), when=_WORKERS),
    Definition(names.WORKER_RESTARTS, "counter", "Workers that were started again.", when=_WORKERS),
    Definition(
        names.WORKER_CPU,
        "counter",
        "CPU time of the workers since they joined; process_* is the parent's.",
        when=_WORKERS,
    ),
    Definition(
        names.RELOADS, "counter", "Reloads of the model and the configuration.", ("result",)
    ),
    *ROLLOUT_DEFINITIONS,
    Definition(
        names.MODEL_PROCESSES,
        "gauge",
        "The model's own processes that are ready.",
        ("variant",),
        when=_PROCESSES,
    ),
    Definition(
        names.MODEL_RESTARTS,
        "counter",
        "Processes of the model that were started in place of others.",
        ("variant",),
        when=_PROCESSES,
    ),
    Definition(
        names.BREAKERS,
        "gauge",
        "Circuit breakers of the model, by how they stand; open, nothing is sent to it.",
        ("variant", "state"),
        when=_PROCESSES,
    ),
    Definition(
        names.BREAKER_OPENED,
        "counter",
        "How often the breaker opened.",
        ("variant",),
        when=_PROCESSES,
    ),
    Definition(names.FEATURE_KEYS, "gauge", "Keys that features remember.", when=_REMEMBER),
    Definition(names.FEATURE_BYTES, "gauge", "Memory for what features remember.", when=_REMEMBER),
    Definition(
        names.FEATURE_KEYS_EVICTED,
        "counter",
        "Keys that features forgot because there were more than state.max_keys.",
        when=_REMEMBER,
    ),
    Definition(
        names.RESTORED,
        "counter",
        "Records read again for what features or the model remember of them; no part of what was consumed.",
        when=_READ_AGAIN,
    ),
    Definition(
        names.RESTORE,
        "gauge",
        "How long reading again took after the last assignment of partitions.",
        when=_READ_AGAIN,
    ),
    Definition(
        names.MODEL_STATE_KEYS, "gauge", "Keys whose state the model carries.", when=_CARRIES
    ),
    Definition(
        names.MODEL_STATE_BYTES, "gauge", "Memory for the state that it carries.", when=_CARRIES
    ),
    Definition(
        names.MODEL_STATE_EVICTED,
        "counter",
        "Keys whose state was forgotten: no room for more, or their ttl was up.",
        ("reason",),
        when=_CARRIES,
    ),
    Definition(
        names.MODEL_STATE_RESETS,
        "counter",
        "Keys that began anew because an event of them was not answered (on_gap: reset).",
        when=_CARRIES,
    ),
    Definition(
        names.MODEL_STATE_RESTORED,
        "counter",
        "Events that the model was run over again for its state, without deciding.",
        when=_CARRIES,
    ),
    Definition(
        names.REORDER_WAITING,
        "gauge",
        "Events that wait for others that may have happened before them.",
        when=_REORDER,
    ),
    Definition(
        names.REORDER_FORCED,
        "counter",
        "Events that waited for others no longer, because more than reorder.max_events waited.",
        when=_REORDER,
    ),
    Definition(
        names.CHANGELOG_RECORDS,
        "counter",
        "Records written to the changelog of what features remember.",
        when=_CHANGELOG,
    ),
    Definition(
        names.CHANGELOG_BYTES,
        "counter",
        "Bytes of their keys and values, before compression.",
        when=_CHANGELOG,
    ),
    Definition(
        names.DRIFT_PSI,
        "gauge",
        "Population stability index of a feature against the reference; above 0.25 it is another distribution.",
        ("feature",),
        when=_DRIFT,
    ),
    Definition(
        names.DRIFT_MISSING,
        "gauge",
        "Share of the events whose feature is NaN or infinite.",
        ("feature",),
        when=_DRIFT,
    ),
    Definition(
        names.DRIFT_OUTSIDE,
        "gauge",
        "Share of the events whose feature lies outside the reference's range.",
        ("feature",),
        when=_DRIFT,
    ),
    Definition(
        names.DRIFT_EVENTS,
        "gauge",
        "Events that the last window of drift looked at.",
        when=_DRIFT,
    ),
    *SLO_DEFINITIONS,
    Definition(names.VARIANT, "info", "The models loaded.", ("variant", "digest", "runs_on")),
    Definition(names.BUILD, "info", "This streamproc.", ("version",)),
)
"""In the order in which they are shown."""

_BY_NAME: Final = {definition.name: definition for definition in DEFINITIONS}


def definition(name: str) -> Definition:
    """The metric of that name.

    Raises:
        KeyError: there is none.
    """
    return _BY_NAME[name]

"""``streamproc why``: an event of a recording, where its time went, and what would have saved it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from streamproc.config import PipelineConfig
from streamproc.connectors.capture import CaptureReader, OutcomeColumns
from streamproc.core import NS_PER_MS, NS_PER_S, ConfigError, ModelInfo, Outcome, RecordBatch
from streamproc.replay.coordinates import NO_ROW, Coordinates
from streamproc.replay.simulation import IN_TIME, Machine, Rules
from streamproc.replay.why.changes import Change
from streamproc.replay.why.search import reruns, smallest_changes
from streamproc.replay.why.setting import Setting, share_in_time
from streamproc.replay.why.story import Ended, Story, tell
from streamproc.replay.why.window import Window, read_window

BUDGETS_BEFORE = 6
"""How much of what came before is run again. What is older than a budget is decided or shed, so it matters only by
the instant at which batches begin; reruns that begin at other instants show whether that matters."""
BUDGETS_AFTER = 2
BEFORE_MIN_NS = 100 * NS_PER_MS
EVENTS_MAX = 6_000
"""Of the window: a rerun of so many takes some 50 ms, and there are some 50 reruns."""
_NEAR_NS = 10 * NS_PER_S
_ADMITTED_NS = 100 * NS_PER_MS
"""Events are admitted so soon after their arrival, unless too much is under way: the first place to look for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Why an event ended as it did.

    Attributes:
        event: which.
        ended: how it ended, as it was recorded.
        event_time_ns: when it happened.
        arrival_ns: when it came.
        deadline_ns: when its decision had to be with the broker.
        rerun_outcome: what the scheduler makes of it when it is run again; the recorded one, unless chance
            or something that is not recorded decided.
        in_time_anyway: in which share of the reruns it is in time without any change.
        story: where its time went.
        changes: what would have saved it, the smallest change first; one of each kind.
    """

    event: Coordinates
    ended: Ended
    event_time_ns: int
    arrival_ns: int
    deadline_ns: int
    rerun_outcome: Outcome
    in_time_anyway: float
    story: Story
    changes: Sequence[Change]


def explain(
    capture: CaptureReader,
    event: Coordinates,
    *,
    config: PipelineConfig,
    model: ModelInfo,
    machine: Machine,
    rules: Rules,
) -> Answer:
    """Say why an event of a recording ended as it did.

    Args:
        capture: the recording, with records and outcomes.
        event: which.
        config: the pipeline that it was recorded of.
        model: its best variant.
        machine: what ran the batches.
        rules: what the scheduler went by.

    Raises:
        ConfigError: there is no such event in it, or it was no event that waits for a model.
    """
    ended = _ended(capture, event)
    if ended is None:
        msg = f"{event} has no outcome in the recording: it is not in it, or was still under way at its end"
        raise ConfigError(msg)
    if ended.outcome not in (*IN_TIME, Outcome.LATE, Outcome.SHED):
        why = f" ({ended.reason})" if ended.reason else ""
        msg = f"{event} is {ended.outcome.word}{why}: it never waited for the model, so no other schedule changes it"
        raise ConfigError(msg)
    window = _window(capture, event, ended, config, model)
    row = None if window is None else window.find(event)
    if window is None or row is None:
        msg = f"the record of {event} is not in the recording: streamproc why needs records and outcomes"
        raise ConfigError(msg)
    return answer(Setting(window=window, machine=machine, rules=rules, event=row), event, ended)


def answer(setting: Setting, event: Coordinates, ended: Ended) -> Answer:
    """The same of a setting: the event among those that came before and after it.

    Args:
        setting: the event among the others.
        event: which it is.
        ended: how it ended.
    """
    budget_ns = max(1, setting.rules.lanes[setting.lane].budget_ns)
    before_ns = max(BUDGETS_BEFORE * budget_ns, BEFORE_MIN_NS)
    arrival_ns = setting.window.traffic.arrival_ns
    first = int(arrival_ns.searchsorted(setting.arrival_ns - before_ns))
    last_ns = max(setting.arrival_ns, setting.deadline_ns) + BUDGETS_AFTER * budget_ns
    last = int(arrival_ns.searchsorted(last_ns, side="right"))
    first = max(first, min(setting.event, last - EVENTS_MAX))
    near = setting.of(np.arange(first, last))
    result = near.run()
    story = tell(near, result, ended)
    again = reruns(near)
    saved = ended.outcome in IN_TIME
    since_ns = min(story.burst_since_ns, near.arrival_ns - budget_ns)
    return Answer(
        event=event,
        ended=ended,
        event_time_ns=int(near.window.event_time_ns[near.event]),
        arrival_ns=near.arrival_ns,
        deadline_ns=near.deadline_ns,
        rerun_outcome=Outcome(int(result.outcome[near.event])),
        in_time_anyway=share_in_time(again),
        story=story,
        changes=[] if saved else smallest_changes(again, burst_since_ns=since_ns),
    )


def _ended(capture: CaptureReader, event: Coordinates) -> Ended | None:
    """How an event ended, the last time that it did."""
    found: tuple[OutcomeColumns, int] | None = None
    for columns in capture.outcomes():
        if columns.source != (event.topic, event.partition):
            continue
        rows = columns.offset == event.offset
        if columns.row is not None:
            rows &= columns.row == event.row
        elif event.row != NO_ROW:
            continue
        if rows.any():
            found = (columns, int(rows.argmax()))
    if found is None:
        return None
    columns, row = found
    return Ended(
        outcome=Outcome(int(columns.outcome[row])),
        reason=columns.reason,
        final_ns=columns.acknowledged_ns,
        admitted_ns=None if columns.admitted_ns is None else int(columns.admitted_ns[row]),
        started_ns=columns.started_ns,
        decided_ns=columns.decided_ns,
    )


def _window(
    capture: CaptureReader,
    event: Coordinates,
    ended: Ended,
    config: PipelineConfig,
    model: ModelInfo,
) -> Window | None:
    """What came around the event."""
    arrival_ns = _arrival_ns(capture, event, ended)
    if arrival_ns is None:
        return None
    budget_ns = max(
        int(config.deadline.budget), *(int(lane.budget or 0) for lane in config.lanes), 1
    )
    before_ns = max(BUDGETS_BEFORE * budget_ns, BEFORE_MIN_NS)
    after_ns = max(ended.final_ns, arrival_ns + budget_ns) + BUDGETS_AFTER * budget_ns
    topics = frozenset(config.source.topics) or None
    batches = capture.records(topics, arrival_ns - before_ns, after_ns)
    return read_window(config, model, batches)


def _arrival_ns(capture: CaptureReader, event: Coordinates, ended: Ended) -> int | None:
    """When the event's record came; looked for shortly before its end first."""
    topics = frozenset([event.topic])
    spans: list[tuple[int | None, int | None]] = [
        (ended.final_ns - _NEAR_NS, ended.final_ns + 1),
        (None, None),
    ]
    if ended.admitted_ns is not None:
        spans.insert(0, (ended.admitted_ns - _ADMITTED_NS, ended.admitted_ns + 1))
    for start_ns, end_ns in spans:
        for batch in _of_partition(capture.records(topics, start_ns, end_ns), event):
            if (batch.offset == event.offset).any():
                return batch.arrival_ns
    return None


def _of_partition(batches: Iterator[RecordBatch], event: Coordinates) -> Iterator[RecordBatch]:
    return (batch for batch in batches if batch.source == (event.topic, event.partition))

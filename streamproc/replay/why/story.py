"""What happened to an event: where its time went, and what was in its way."""

from collections.abc import Sequence
from dataclasses import dataclass

from streamproc.core import NS_PER_S, Int64Array, Outcome
from streamproc.replay.simulation import Result, capacity_per_s
from streamproc.replay.why.setting import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How the recording says that the event ended.

    Attributes:
        outcome: what became of it.
        reason: why it was shed or dead-lettered.
        final_ns: when that was final.
        admitted_ns: when it began to wait; None where that was not recorded.
        started_ns: when its run began; None where it never ran.
        decided_ns: when its run had ended; None where it never ran.
    """

    outcome: Outcome
    reason: str
    final_ns: int
    admitted_ns: int | None = None
    started_ns: int | None = None
    decided_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Where the event's time went.

    Attributes:
        stages_ns: the time of each stage in order, by its name.
        ahead: events that were waiting when it came.
        ahead_due_first: of them, those that were due before it.
        running: sizes of the batches that ran when it came.
        running_left_ns: how long until the first of them ended; 0 where an executor was free.
        came_between: events that came between it and its end.
        batches_between: batches that began in that time.
        batch: the size of its own batch; 0 where it never ran.
        batch_ns: how long that batch ran; where it never ran, how long one of its own would.
        send_ns: how long sending takes.
        burst_since_ns: since when the executors had no pause.
        rate_per_s: events a second since then.
        capacity_per_s: what the executors can do within the budget.
    """

    stages_ns: dict[str, int]
    ahead: int
    ahead_due_first: int
    running: Sequence[int]
    running_left_ns: int
    came_between: int
    batches_between: int
    batch: int
    batch_ns: int
    send_ns: int
    burst_since_ns: int
    rate_per_s: float
    capacity_per_s: float


def tell(setting: Setting, result: Result, ended: Ended) -> Story:
    """The story of an event, of the scheduler's rerun and of what was recorded.

    Args:
        setting: the event among the others.
        result: what became of all of them in the rerun.
        ended: how it ended.
    """
    traffic, event, came_ns = setting.window.traffic, setting.event, setting.arrival_ns
    began_ns = _began_ns(result, len(traffic))
    waits = (traffic.arrival_ns <= came_ns) & (began_ns > came_ns)
    waits[event] = False
    running = [ran for ran in result.ran if ran.started_ns <= came_ns < ran.ended_ns]
    busy = len(running) >= setting.machine.executors
    own = [ran for ran in result.ran if event in ran.run.number]
    end_ns = max(ended.final_ns, came_ns)
    since_ns = _burst_since_ns(result, came_ns)
    came = traffic.arrival_ns.searchsorted([since_ns, came_ns, end_ns], side="right")
    budget_ns = setting.rules.lanes[setting.lane].budget_ns or max(1, setting.deadline_ns - came_ns)
    curve = setting.machine.variants[0].run_ns
    span_ns = max(1, came_ns - since_ns)
    return Story(
        stages_ns=_stages_ns(setting, ended),
        ahead=int(waits.sum()),
        ahead_due_first=int((waits & (traffic.deadline_ns <= setting.deadline_ns)).sum()),
        running=[len(ran.run.number) for ran in running],
        running_left_ns=min((ran.ended_ns for ran in running), default=came_ns) - came_ns
        if busy
        else 0,
        came_between=int(came[2] - came[1]),
        batches_between=sum(came_ns < ran.started_ns <= end_ns for ran in result.ran),
        batch=len(own[0].run.number) if own else 0,
        batch_ns=own[0].ended_ns - own[0].started_ns if own else int(curve[0]),
        send_ns=setting.machine.send_ns,
        burst_since_ns=since_ns,
        rate_per_s=int(came[1] - came[0]) * NS_PER_S / span_ns,
        capacity_per_s=capacity_per_s(
            curve,
            budget_ns=budget_ns - setting.machine.send_ns,
            executors=setting.machine.executors,
        ),
    )


def _stages_ns(setting: Setting, ended: Ended) -> dict[str, int]:
    """Broker, decode, queue, infer and emit, as the books call them; what never ran waited to its end."""
    happened_ns, came_ns = int(setting.window.event_time_ns[setting.event]), setting.arrival_ns
    waits_ns = came_ns if ended.admitted_ns is None else ended.admitted_ns
    stages = {"broker": came_ns - happened_ns, "decode": waits_ns - came_ns}
    if ended.started_ns is None or ended.decided_ns is None:
        return {**stages, "queue": max(0, ended.final_ns - waits_ns)}
    return {
        **stages,
        "queue": ended.started_ns - waits_ns,
        "infer": ended.decided_ns - ended.started_ns,
        "emit": ended.final_ns - ended.decided_ns,
    }


def _began_ns(result: Result, events: int) -> Int64Array:
    """int64 [n], when each event's run began; those that never ran wait until they are due."""
    began_ns = result.traffic.deadline_ns.copy()
    for ran in result.ran:
        began_ns[ran.run.number] = ran.started_ns
    return began_ns[:events]


def _burst_since_ns(result: Result, came_ns: int) -> int:
    """Since when, before an instant, an executor never had a pause: the whole window where it never had one."""
    since_ns, busy_until_ns = int(result.traffic.arrival_ns[0]), None
    for ran in result.ran:
        if ran.started_ns > came_ns:
            break
        if busy_until_ns is not None and ran.started_ns > busy_until_ns:
            since_ns = ran.started_ns
        busy_until_ns = ran.ended_ns if busy_until_ns is None else max(busy_until_ns, ran.ended_ns)
    if busy_until_ns is not None and busy_until_ns < came_ns:
        return came_ns
    # The first event of a busy time came before its batch began.
    return since_ns

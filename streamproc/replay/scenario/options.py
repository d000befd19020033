"""What a scenario file says."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from streamproc.core import Duration
from streamproc.replay.scenario.limits import LatencyLimit, Limit

_SECOND = Duration.parse("1s")
_MS = Duration.parse("1ms")
_NOTHING = Duration(0)


@dataclass(frozen=True, slots=True)
class BatchTime:
    """How long batches take, whatever the machine: so a scenario ends alike everywhere.

    Attributes:
        fixed: time of a batch.
        per_event: further time for each event of it.
    """

    fixed: Duration
    per_event: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """For a while something does not work.

    Attributes:
        at: since when, from the first record on.
        length: for how long.
    """

    at: Duration
    length: Duration = _SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorSlow(Outage):
    """The model takes longer for a while.

    Attributes:
        at: since when, from the first record on.
        length: for how long.
        times: how many times as long a batch takes that begins then.
    """

    times: float = 4.0

    def __post_init__(self) -> None:
        if self.times < 1.0:
            msg = f"times must be 1 or more, was {self.times:g}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """Some records come later than they did; what they say of when they happened stays.

    Attributes:
        share: of the records, 0 to 1.
        by: how much later.
    """

    share: float
    by: Duration

    def __post_init__(self) -> None:
        _check(self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutOfOrder:
    """Some records are overtaken by others.

    Attributes:
        share: of the records, 0 to 1.
        within: each of them comes later by up to this, evenly drawn.
    """

    share: float
    within: Duration

    def __post_init__(self) -> None:
        _check(self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrupt:
    """Some records are cut in the middle.

    Attributes:
        share: of the records, 0 to 1.
    """

    share: float

    def __post_init__(self) -> None:
        _check(self.share)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """What goes wrong.

    Attributes:
        executor_slow: the model takes longer.
        executor_fails: the model raises for every batch that begins then.
        broker_outage: the broker acknowledges nothing; what was sent then is acknowledged at the end.
        late: records come late.
        out_of_order: records are overtaken.
        corrupt: records are cut.
    """

    executor_slow: Sequence[ExecutorSlow] = ()
    executor_fails: Sequence[Outage] = ()
    broker_outage: Sequence[Outage] = ()
    late: Late | None = None
    out_of_order: OutOfOrder | None = None
    corrupt: Corrupt | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assertions:
    """What must come of it.

    Attributes:
        in_time: decided before the deadline, by whichever variant.
        on_time: decided in time by the best variant.
        degraded: decided in time by a cheaper one.
        late: decided too late.
        shed: given up.
        dead_letter: undecodable, or failed.
        p50: half of the decisions take no longer, from the event to the acknowledgement.
        p99: 99 percent of them take no longer.
        p999: 99.9 percent of them take no longer.
        golden: a file, beside the scenario's, with the outcomes and the digests of an earlier run.
    """

    in_time: Limit | None = None
    on_time: Limit | None = None
    degraded: Limit | None = None
    late: Limit | None = None
    shed: Limit | None = None
    dead_letter: Limit | None = None
    p50: LatencyLimit | None = None
    p99: LatencyLimit | None = None
    p999: LatencyLimit | None = None
    golden: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A recording, what is made of it, and what must come of it.

    Attributes:
        name: of the scenario.
        recording: the file: ``.mcap``, JSON lines or ``.npz``; paths are relative to the scenario's folder.
        config: the pipeline's file.
        set: keys over that file, ``KEY=VALUE`` each.
        start: how far into the recording it begins.
        length: how much of the recording is played; None for all of it.
        speed: how many times quicker it is played.
        load: how many times the records come.
        partitions: of the topic, for recordings that have none; keys are spread over them.
        fetch: what comes within so long is fetched together, where the recording does not tell.
        lag: from the record's timestamp to its fetch, likewise.
        batch_time: how long batches take, by variant of the model, the best one's first; none: what the
            configuration's ``simulated`` executors say, or the recording tells.
        send: how long the broker takes to acknowledge.
        outputs: False where the model's answers do not matter: it is not run.
        seed: of all that is drawn.
        faults: what goes wrong.
        assert_: what must come of it.
    """

    name: str
    recording: str
    config: str
    set: Sequence[str] = ()
    start: Duration = _NOTHING
    length: Duration | None = None
    speed: float = 1.0
    load: float = 1.0
    partitions: int = 1
    fetch: Duration = _MS
    lag: Duration = _MS
    batch_time: Sequence[BatchTime] = ()
    send: Duration = _MS
    outputs: bool = True
    seed: int = 0
    faults: Faults = field(default_factory=Faults)
    assert_: Assertions = field(default_factory=Assertions)

    def __post_init__(self) -> None:
        if self.partitions < 1 or self.speed <= 0 or self.load <= 0:
            msg = "partitions, speed and load must be above 0"
            raise ValueError(msg)


def _check(share: float) -> None:
    if not 0.0 <= share <= 1.0:
        msg = f"share must be from 0 to 1, was {share:g}"
        raise ValueError(msg)

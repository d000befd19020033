"""Traces, made after the fact: the hot path only wrote instants into columns."""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from heapq import heappush, heapreplace
from itertools import count, islice

from streamproc.core import NS_PER_MS, NS_PER_S, Headers, Int64Array, Outcome, TopicPartition
from streamproc.telemetry.accounts import E2E, OWN, Accounts, lane_key
from streamproc.telemetry.exemplars import Exemplar
from streamproc.telemetry.journey import Journey, Told
from streamproc.telemetry.open_commits import OpenCommits
from streamproc.telemetry.open_runs import OpenRuns
from streamproc.telemetry.options import TraceCause
from streamproc.telemetry.passage import BatchRun, Passage
from streamproc.telemetry.sampling import Parent, Sampler, SpanIds, incoming

SAMPLED = "sampled"
"""The cause of a trace that was chosen from its start."""
ALWAYS_PER_S = 100
"""Traces of one outcome in a second that are made only because of it, in each process: 0.2% of a core. A burst of shed
events must not cost more than the events themselves, so the rest are counted."""
_NAMED_EVERY_NS = 20 * NS_PER_MS
"""A sampled trace is named in its buckets unless another one was so shortly before: nobody reads more than the newest of a
bucket, and only when it is scraped."""
SLOWEST_WINDOW_NS = 10 * NS_PER_S
SLOWEST_KEPT = 5
"""Of a window, so many of the slowest are traced."""


class Tracer:
    """Chooses events and tells their journeys.

    Args:
        sampler: chooses those that are traced from their start.
        always: outcomes that are traced whatever the sampler says, and ``slowest``.
        export: takes what is told; must not block.
        accounts: count what is not told, and name traces in their buckets; None where nobody asks.
    """

    def __init__(
        self,
        sampler: Sampler,
        always: Sequence[TraceCause],
        export: Callable[[Told], None],
        accounts: Accounts | None = None,
    ) -> None:
        self._sampler = sampler
        self._always = {Outcome[cause.upper()] for cause in always if cause != "slowest"}
        self._slowest = _Slowest() if "slowest" in always else None
        self._export = export
        self._accounts = accounts
        self._runs = OpenRuns(export, sampler.run_ids)
        self._commits = OpenCommits(export)
        self._last_ids = (-1, Parent(b"", b""))
        self._named_ns = 0
        self._second = 0
        self._made: dict[Outcome, int] = {}

    def outgoing(
        self,
        source: TopicPartition,
        offset: Int64Array,
        row: Int64Array | None,
        headers: Mapping[int, Headers],
    ) -> dict[int, SpanIds]:
        """The ids of the events that are traced from their start, by row: their decisions carry the trace on.

        Args:
            source: the events' partition.
            offset: int64 [n].
            row: int64 [n], the events' rows within their records; None where each is one.
            headers: the records' headers by row of these columns, of those that have any.
        """
        chosen = self._sampler.chosen(source, offset, row, headers)
        return self._ids(source, offset, row, headers, chosen) if chosen else {}

    def ended(self, passage: Passage) -> None:
        """Outcomes became final: tell the journeys that are to be told."""
        told = passage.traced
        if told is None:
            told = self.outgoing(passage.source, passage.offset, passage.row, passage.headers)
        journeys = self._journeys(passage, told, SAMPLED) if told else []
        if passage.outcome in self._always:
            journeys += self._always_told(passage, told)
        for journey in journeys:
            self._tell(journey)
        if passage.run is not None:
            spans = [Parent(journey.ids.trace_id, journey.ids.infer) for journey in journeys]
            self._runs.ended(passage.run, len(passage.offset), spans)
        if self._slowest is not None and passage.decided_ns is not None:
            self._rank(self._slowest, passage, told)

    def committed(
        self, positions: Mapping[TopicPartition, int], began_ns: int, ended_ns: int
    ) -> None:
        """Positions were stored; see ``OpenCommits``."""
        self._commits.committed(positions, began_ns, ended_ns)

    def close(self) -> None:
        """Tell what is kept until its window ends."""
        if self._slowest is not None:
            self._tell_slowest(self._slowest)
        self._runs.close()

    def _run_ids(self, run: BatchRun) -> Parent:
        """The ids of a run's span; mostly those of the run that was asked for before."""
        if self._last_ids[0] != run.number:
            self._last_ids = (run.number, self._sampler.run_ids(run.number, run.planned_ns))
        return self._last_ids[1]

    def _tell(self, journey: Journey) -> None:
        self._export(journey)
        self._commits.add(journey.source, journey.offset, journey.ids)
        if self._accounts is None or not journey.decided_ns:
            return
        if journey.cause != SAMPLED or journey.final_ns >= self._named_ns + _NAMED_EVERY_NS:
            self._named_ns = journey.final_ns
            trace_id = journey.ids.trace_id.hex()
            for name, value_ns in _latencies(journey):
                if (kept := self._accounts.exemplars.get(name)) is not None:
                    kept.note(Exemplar(trace_id, max(0, value_ns), journey.final_ns))

    def _tell_slowest(self, slowest: "_Slowest") -> None:
        for journey in slowest.take():
            self._tell(journey)
            if journey.run is not None:
                self._runs.later(journey.run, Parent(journey.ids.trace_id, journey.ids.infer))

    def _room(self, passage: Passage) -> int:
        """How many more journeys may be told in this second because of this outcome."""
        second = passage.final_ns // NS_PER_S
        if second != self._second:
            self._second, self._made = second, {}
        return ALWAYS_PER_S - self._made.setdefault(passage.outcome, 0)

    def _always_told(self, passage: Passage, told: Collection[int]) -> list[Journey]:
        """Those of the others that are told because of their outcome; what is above the rate is counted."""
        room, untold = self._room(passage), len(passage.offset) - len(told)
        if self._accounts is not None and untold > room:
            self._accounts.suppressed(passage.outcome, untold - room)
        if not (room and untold):  # in a burst there mostly is no room
            return []
        others = (place for place in range(len(passage.offset)) if place not in told)
        some = self._ids_of(passage, islice(others, room))
        self._made[passage.outcome] += len(some)
        return self._journeys(passage, some, passage.outcome.word)

    def _rank(self, slowest: "_Slowest", passage: Passage, told: Container[int]) -> None:
        if passage.final_ns >= slowest.until_ns:
            self._tell_slowest(slowest)
            slowest.until_ns = passage.final_ns + SLOWEST_WINDOW_NS
        place = int(passage.event_time_ns.argmin())  # of one acknowledgement, the oldest
        took_ns = passage.final_ns - passage.event_time_ns.item(place)
        if slowest.wants(took_ns) and place not in told:
            (journey,) = self._journeys(passage, self._ids_of(passage, [place]), "slowest")
            slowest.add(took_ns, journey)

    def _ids_of(self, passage: Passage, places: Iterable[int]) -> dict[int, SpanIds]:
        return self._ids(passage.source, passage.offset, passage.row, passage.headers, places)

    def _ids(
        self,
        source: TopicPartition,
        offset: Int64Array,
        row: Int64Array | None,
        headers: Mapping[int, Headers],
        places: Iterable[int],
    ) -> dict[int, SpanIds]:
        """The ids of the events in these rows."""
        ids = self._sampler.ids
        return {
            place: ids(
                source,
                offset.item(place),
                -1 if row is None else row.item(place),
                incoming(headers.get(place, ())),
            )
            for place in places
        }

    def _journeys(self, passage: Passage, told: Mapping[int, SpanIds], cause: str) -> list[Journey]:
        """The journeys of the events in these rows, which have these ids."""
        key, run, lane, row = passage.key, passage.run, passage.lane, passage.row
        admitted_ns, deadline_ns = passage.admitted_ns, passage.deadline_ns
        timestamp_ns, decoded_ns = passage.timestamp_ns, passage.decoded_ns
        batch = None if run is None else self._run_ids(run)
        return [
            Journey(
                passage.source,
                passage.offset.item(place),
                -1 if row is None else row.item(place),
                key[place],
                ids,
                passage.event_time_ns.item(place),
                passage.arrival_ns.item(place),
                0 if admitted_ns is None else admitted_ns.item(place),
                0 if deadline_ns is None else deadline_ns.item(place),
                passage.started_ns or 0,
                passage.finished_ns or 0,
                passage.decided_ns or 0,
                passage.final_ns,
                passage.outcome,
                passage.reason,
                passage.topic,
                cause,
                0 if timestamp_ns is None else max(0, timestamp_ns.item(place)),
                0 if decoded_ns is None else decoded_ns.item(place),
                run,
                batch,
                lane if isinstance(lane, int) else lane.item(place),
            )
            for place, ids in told.items()
        ]


def _latencies(journey: Journey) -> Iterator[tuple[str, int]]:
    """What the journey of a decided event adds to each latency that has exemplars."""
    yield E2E, journey.final_ns - journey.event_time_ns
    yield lane_key(journey.lane), journey.final_ns - journey.event_time_ns
    yield OWN, journey.decided_ns - journey.arrival_ns
    yield "broker", journey.arrival_ns - journey.event_time_ns
    yield "decode", journey.admitted_ns - journey.arrival_ns
    yield "queue", journey.started_ns - journey.admitted_ns
    yield "infer", journey.finished_ns - journey.started_ns
    yield "emit", journey.final_ns - journey.finished_ns


class _Slowest:
    """The slowest journeys of a window."""

    def __init__(self) -> None:
        self.until_ns = 0
        self._kept: list[tuple[int, int, Journey]] = []
        self._numbers = count()

    def wants(self, took_ns: int) -> bool:
        return len(self._kept) < SLOWEST_KEPT or took_ns > self._kept[0][0]

    def add(self, took_ns: int, journey: Journey) -> None:
        entry = (took_ns, next(self._numbers), journey)
        if len(self._kept) < SLOWEST_KEPT:
            heappush(self._kept, entry)
        else:
            heapreplace(self._kept, entry)

    def take(self) -> list[Journey]:
        kept, self._kept = self._kept, []
        return [journey for _, _, journey in kept]

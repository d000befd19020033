"""Rows of requests among the events: they wait, run and are shed as events are, and are answered instead of published.

They are of no partition, no outcome is settled of them, and nothing is sent: the books of the stream do not know them.
"""

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np

from streamproc.core import (
    BoolArray,
    Columns,
    EventBatch,
    Int64Array,
    InvariantError,
    Reason,
    object_column,
)
from streamproc.engine.isolate import Span
from streamproc.engine.rescue import Rescued, reason_of
from streamproc.engine.stopping import was_stopped

_SHED: Final = {
    "expired": "it was given up: no answer before its deadline was possible any more",
    "planner": "it was given up: the model has more to do than it can do in time",
}

REQUESTS: Final = -1
"""Stands for their partition."""

AnswerKind = Literal["on_time", "degraded", "late", "shed", "failed"]
ANSWER_KINDS: Final[tuple[AnswerKind, ...]] = ("on_time", "degraded", "late", "shed", "failed")


@dataclass(frozen=True, slots=True)
class RequestAnswer:
    """What became of a request.

    Attributes:
        kind: as the outcome of an event; the worst of its rows'.
        outputs: the model's, by name, each [rows, ...]; empty where a row was not answered.
        variant: the name of the variant that answered, of the cheapest where several did.
        reason: why it was not answered.
        detail: that in words.
    """

    kind: AnswerKind
    outputs: Columns = field(default_factory=dict)
    variant: str = ""
    reason: str = ""
    detail: str = ""


class Asked(NamedTuple):
    """The rows of requests in a run.

    Attributes:
        number: int64 [m], theirs.
        variants: the names of the model's variants when it began: a reload may have put in others when it ends.
    """

    number: Int64Array
    variants: Sequence[str]


Signature = Mapping[str, tuple[str, tuple[int, ...]]]
"""Of inputs by name: their type, and the shape of a row."""
Done = Callable[[RequestAnswer], None]


@dataclass(slots=True)
class _Request:
    count: int
    deadline_ns: int
    done: Done
    left: int
    rows: list[tuple[Int64Array, Columns]] = field(default_factory=list)
    variant: int = -1
    name: str = ""
    degraded: bool = False
    late: bool = False
    failure: RequestAnswer | None = None


class Requests:
    """The requests that are not answered yet.

    Args:
        lane: the scheduler's lane of their rows.
        degrades: marks the rows (bool [n]) whose answers the best variant might better, by outputs, variant and n.

    Attributes:
        waiting: rows that have no answer.
        counts: requests by what became of them.
        variants: gives the names of the model's variants, the best one's first.
        like: what the events' inputs are like; None before any have run.
    """

    def __init__(
        self, *, lane: int, degrades: Callable[[Columns, int, int], BoolArray] | None = None
    ) -> None:
        self.lane = lane
        self.waiting = 0
        self.counts: Counter[AnswerKind] = Counter()
        self.variants: Callable[[], Sequence[str]] = tuple
        self.like: Signature | None = None
        self._degrades = degrades
        self._first: list[int] = []
        self._open: dict[int, _Request] = {}

    def add(
        self, first: int, inputs: Columns, *, deadline_ns: int, now_ns: int, done: Done
    ) -> EventBatch:
        """A request has come.

        Args:
            first: the number of its first row, higher than all before.
            inputs: the model's, by name, each [rows, ...].
            deadline_ns: when it must be answered.
            now_ns: the present instant.
            done: is told what became of it.

        Returns:
            its rows, as events.
        """
        count = len(next(iter(inputs.values())))
        zeros, now = np.zeros(count, np.int64), np.full(count, now_ns)
        nothing = object_column([None] * count)
        rows = EventBatch(
            number=np.arange(first, first + count),
            partition=np.full(count, REQUESTS),
            ordinal=zeros,
            offset=zeros,
            event_time_ns=now,
            arrival_ns=now,
            admitted_ns=now,
            deadline_ns=np.full(count, deadline_ns, np.int64),
            key=nothing,
            record_key=nothing,
            value=nothing,
            inputs=inputs,
        )
        insort(self._first, first)
        self._open[first] = _Request(count, deadline_ns, done, left=count)
        self.waiting += count
        return rows

    def begin(
        self, events: Sequence[EventBatch], asked: Sequence[EventBatch]
    ) -> tuple[EventBatch | None, Asked | None]:
        """A run begins: gives the rows of requests (m of them) that it can have, and what is to be said when it has ended.

        The model may leave sizes open, but one batch has one of each: the events', or where there are none the first
        request's. Rows that are not like them are answered at once.

        Args:
            events: of the run.
            asked: the rows of requests that were chosen with them, in the order of their numbers.
        """
        if self.like is None and events:
            self.like = signature_of(events[0].inputs)
        if not asked:
            return None, None
        like = self.like if events else signature_of(asked[0].inputs)
        fitting = [rows for rows in asked if signature_of(rows.inputs) == like]
        for rows in asked:
            if signature_of(rows.inputs) != like:
                words = "its tensors have other types or sizes than what it would have run with"
                self._fail(rows.number, RequestAnswer("failed", reason="unlike", detail=words))
        if not fitting:
            return None, None
        joined = EventBatch.concatenate(fitting)
        return joined, Asked(joined.number, tuple(self.variants()))

    def shed(self, number: Int64Array, reason: str) -> None:
        """These rows (int64 [n], ascending) are given up."""
        for request, rows, _ in self._of(number):
            if request.failure is None:
                words = _SHED.get(reason, _SHED["planner"])
                request.failure = RequestAnswer("shed", reason=reason, detail=words)
            self._ended(request, len(rows))

    def conclude(
        self,
        asked: Asked,
        outputs: Columns | Exception | Rescued,
        *,
        variant: int,
        now_ns: int,
    ) -> None:
        """A run with these rows has ended; the outputs are of these rows."""
        number = asked.number
        if isinstance(outputs, Exception):
            self._failed(number, outputs)
            return
        if isinstance(outputs, Rescued):
            for span, error in outputs.failed:
                self._failed(number[span.start : span.stop], error)
            for span, part in outputs.done:
                rows = asked._replace(number=number[span.start : span.stop])
                self._answered(rows, part, variant, now_ns)
            return
        self._answered(asked, outputs, variant, now_ns)

    def close(self) -> None:
        """Nothing more is answered."""
        for first, request in list(self._open.items()):
            if request.failure is None:
                words = "the pipeline is ending"
                request.failure = RequestAnswer("shed", reason="stopping", detail=words)
            self._finish(first, request)

    def _failed(self, number: Int64Array, error: Exception) -> None:
        if was_stopped(error):
            self.shed(number, reason_of(error)[0])
            return
        reason, detail = reason_of(error)
        self._fail(number, RequestAnswer("failed", reason=str(reason), detail=detail))

    def _fail(self, number: Int64Array, answer: RequestAnswer) -> None:
        for request, rows, _ in self._of(number):
            request.failure = answer
            self._ended(request, len(rows))

    def _answered(self, asked: Asked, outputs: Columns, variant: int, now_ns: int) -> None:
        number = asked.number
        if any(array.ndim == 0 or len(array) != len(number) for array in outputs.values()):
            self._failed(number, ValueError("the model does not answer row by row"))
            return
        try:
            worse = (
                np.full(len(number), variant > 0)
                if self._degrades is None
                else self._degrades(outputs, variant, len(number))
            )
        except Exception as error:  # noqa: BLE001 - what a user's model gives may be anything
            self._failed(number, error)
            return
        for request, rows, part in self._of(number):
            request.rows.append((rows, {name: array[part] for name, array in outputs.items()}))
            if variant > request.variant:
                request.variant = variant
                request.name = asked.variants[variant] if variant < len(asked.variants) else ""
            request.degraded |= bool(worse[part].any())
            request.late |= now_ns > request.deadline_ns
            self._ended(request, len(rows))

    def _of(self, number: Int64Array) -> Sequence[tuple[_Request, Int64Array, slice]]:
        """The requests of rows, each with which rows of it they are, and where they stand among those given.

        Those of a request that was answered before, at the end of the pipeline, are left out.
        """
        found, start = [], 0
        while start < len(number):
            place = bisect_right(self._first, int(number[start])) - 1
            first = self._first[place] if place >= 0 else int(number[start])
            request = self._open.get(first)
            stop = start + 1
            if request is not None and number[start] < first + request.count:
                stop = int(np.searchsorted(number, first + request.count))
                found.append((request, number[start:stop] - first, slice(start, stop)))
            start = stop
        return found

    def _ended(self, request: _Request, rows: int) -> None:
        request.left -= rows
        self.waiting -= rows
        if not request.left:
            first = next(first for first, one in self._open.items() if one is request)
            self._finish(first, request)

    def _finish(self, first: int, request: _Request) -> None:
        self.waiting -= request.left
        del self._open[first]
        self._first.remove(first)
        answer = request.failure or _joined(request)
        self.counts[answer.kind] += 1
        request.done(answer)


def _joined(request: _Request) -> RequestAnswer:
    """The answer to a request whose rows have all been answered."""
    order = np.argsort(np.concatenate([rows for rows, _ in request.rows]))
    try:
        outputs = {
            name: np.concatenate([part[name] for _, part in request.rows])[order]
            for name in request.rows[0][1]
        }
    except (KeyError, ValueError) as error:
        words = f"its rows were answered by several batches, which do not fit one another: {error}"
        return RequestAnswer("failed", reason=str(Reason.MODEL_FAILED), detail=words)
    kind: AnswerKind = "degraded" if request.degraded else "on_time"
    return RequestAnswer("late" if request.late else kind, outputs, request.name)


def signature_of(inputs: Columns) -> Signature:
    """What inputs are like, but for how many rows they have."""
    return {
        name: ("text" if array.dtype.kind in "OUS" else array.dtype.name, array.shape[1:])
        for name, array in inputs.items()
    }


def apart(parts: Sequence[EventBatch]) -> tuple[list[EventBatch], list[EventBatch]]:
    """The events of a run, and the rows of requests among them."""
    asked = [part for part in parts if part.partition[0] == REQUESTS]
    return [part for part in parts if part.partition[0] != REQUESTS], asked


def none_of(asked: EventBatch | None) -> EventBatch:
    """No events, with the inputs that rows of requests have."""
    if asked is None:
        msg = "a run of nothing"
        raise InvariantError(msg)
    return asked.take(slice(0, 0, None))


def with_rows(events: EventBatch, asked: EventBatch) -> tuple[Columns, Int64Array]:
    """The inputs and deadlines of a run: of its events, and of rows of requests behind them."""
    inputs = {
        name: np.concatenate((events.inputs[name], column)) for name, column in asked.inputs.items()
    }
    return inputs, np.concatenate((events.deadline_ns, asked.deadline_ns))


def split(
    outputs: Columns | Exception | Rescued, at: int, size: int
) -> tuple[Columns | Exception | Rescued, Columns | Exception | Rescued]:
    """What became of a run's first rows, and of those from a row on, of so many."""
    if isinstance(outputs, Exception):
        return outputs, outputs
    if isinstance(outputs, Rescued):
        before, behind = Rescued(), Rescued()
        for span, columns in outputs.done:
            for into, part, rows in _sides(span, at, before, behind):
                cut = {name: array[rows] for name, array in columns.items()}
                into.done.append((part, cut))
        for span, error in outputs.failed:
            for into, part, _ in _sides(span, at, before, behind):
                into.failed.append((part, error))
        return before, behind
    if any(array.ndim == 0 or len(array) != size for array in outputs.values()):
        error = ValueError(f"the model does not answer row by row: it was given {size}")
        return error, error
    return (
        {name: array[:at] for name, array in outputs.items()},
        {name: array[at:] for name, array in outputs.items()},
    )


def _sides(
    span: Span, at: int, before: Rescued, behind: Rescued
) -> Sequence[tuple[Rescued, Span, slice]]:
    """A span's parts before and behind a row, each as a span of its side, and as rows of the whole span."""
    found = []
    if span.start < at:
        stop = min(span.stop, at)
        found.append((before, Span(span.start, stop), slice(0, stop - span.start)))
    if span.stop > at:
        start = max(span.start, at)
        part = slice(start - span.start, span.stop - span.start)
        found.append((behind, Span(start - at, span.stop - at), part))
    return found

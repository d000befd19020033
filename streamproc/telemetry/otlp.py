"""Exports journeys by OTLP, on a thread of its own, to a collector that may be dead."""

import contextlib
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from streamproc.telemetry.journey import Journey, Told
from streamproc.telemetry.options import Traces
from streamproc.telemetry.otlp_connect import connect
from streamproc.telemetry.otlp_settings import disabled, resource_of
from streamproc.telemetry.otlp_transports import TRACES, NotTakenError, Transport
from streamproc.telemetry.spans import SpanMaker

log = logging.getLogger(__name__)

QUEUE_MAX = 4_096
"""Journeys, and what else is told, that wait; the oldest are dropped when there are more. About 3 MB."""
REQUEST_MAX = 512
"""Journeys in one request."""
SLICE = 64
"""Journeys made into spans at a time: at 13 us each (AMD EPYC) 0.8 ms in which the event loop may wait for the interpreter."""
CLOSE_S = 2.0
_PAUSE_S = 0.001
_EVERY_S = 1.0
_BACKOFF_MAX_S = 30.0


class _Made(NamedTuple):
    """A request, and how many journeys it tells of."""

    request: bytes
    journeys: int


class Exporter:
    """Takes journeys at once and exports them in its own time.

    A collector that is away is asked again after 1 s, 2 s, ... 30 s, with the same request; meanwhile the
    newest journeys wait, and nothing is made of them: a dead collector costs less than a living one.

    Args:
        maker: makes spans of journeys.
        transport: takes them to the collector.
        place: where that is, for the log.
        first_backoff_s: how long a collector that is away is left alone at first.
    """

    def __init__(
        self,
        maker: SpanMaker,
        transport: Transport[ExportTraceServiceResponse],
        place: str,
        *,
        first_backoff_s: float = _EVERY_S,
    ) -> None:
        self._maker = maker
        self._transport = transport
        self._place = place
        self._first_backoff_s = first_backoff_s
        self._waiting: deque[Told] = deque(maxlen=QUEUE_MAX)
        self._under_way: _Made | None = None
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._failing = False
        self._complained = False
        # Each number is written by one thread alone, but at the end: then under the lock.
        self._overflowed = 0
        self._refused = 0
        self._exported = 0
        self._counting = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="streamproc-traces", daemon=True)
        self._thread.start()

    @property
    def exported(self) -> int:
        """Journeys that the collector has taken."""
        return self._exported

    @property
    def dropped(self) -> int:
        """Journeys that it will not get: the queue was full, it refused them, or the end came first."""
        return self._overflowed + self._refused

    def export(self, told: Told) -> None:
        """Take a journey, or what belongs to one; never blocks. Journeys are counted, the others are not."""
        if len(self._waiting) == QUEUE_MAX:
            with contextlib.suppress(IndexError):  # the other thread has just taken it
                self._overflowed += isinstance(self._waiting.popleft(), Journey)
        self._waiting.append(told)
        if len(self._waiting) == REQUEST_MAX:
            self._wake.set()

    def close(self) -> None:
        """Export what waits, within two seconds, and end."""
        self._ending.set()
        self._wake.set()
        self._thread.join(CLOSE_S)
        with self._counting:
            self._closed = (
                True  # what the collector still says is not counted: it has not said it in time
            )
            self._refused += _journeys(self._waiting)
            if self._under_way is not None:
                self._refused += self._under_way.journeys
        self._waiting.clear()
        self._transport.close()

    def _run(self) -> None:
        backoff_s = self._first_backoff_s
        while True:
            if self._failing:
                self._ending.wait(backoff_s)  # however many come meanwhile
            else:
                self._wake.wait(_EVERY_S)
            self._wake.clear()
            ending = self._ending.is_set()
            if self._send_waiting():
                backoff_s = self._first_backoff_s
            else:
                backoff_s = min(2 * backoff_s, _BACKOFF_MAX_S)
            if ending:
                return

    def _send_waiting(self) -> bool:
        """Send all that waits; False where the collector does not take it."""
        while self._under_way is not None or self._waiting:
            try:
                if self._under_way is None:
                    self._under_way = self._make()
                answer = self._transport.send(self._under_way.request)
            except Exception as error:  # noqa: BLE001 - whatever it is, only traces are lost
                passing = isinstance(error, NotTakenError) and error.passing
                self._not_taken(error, passing=passing)
                return False
            if not self._taken():
                return False
            said = answer.partial_success
            if (said.rejected_spans or said.error_message) and not self._complained:
                self._complained = True
                log.warning(
                    "traces: %s took them but for %d spans: %s; said once",
                    self._place,
                    said.rejected_spans,
                    said.error_message,
                )
        return True

    def _make(self) -> _Made:
        """One request of what waits, made in slices so that the event loop gets its turns."""
        spans: list[bytes] = []
        journeys = 0
        while len(spans) < REQUEST_MAX and self._waiting:
            some = [self._waiting.popleft() for _ in range(min(SLICE, len(self._waiting)))]
            journeys += _journeys(some)
            try:
                spans += map(self._maker.spans, some)
            except Exception:
                self._refused += journeys
                raise
            if not self._ending.is_set():
                time.sleep(_PAUSE_S)
        return _Made(self._maker.request(spans), journeys)

    def _taken(self) -> bool:
        """The collector has the request; False where that comes too late to be counted."""
        with self._counting:
            if self._closed or self._under_way is None:
                return False
            self._exported += self._under_way.journeys
            self._under_way = None
        if self._failing:
            log.warning("traces: %s takes them again", self._place)
        self._failing = False
        return True

    def _not_taken(self, error: Exception, *, passing: bool) -> None:
        """The collector has not; the request is kept where it may be taken later."""
        with self._counting:
            if self._closed:
                return
            if self._under_way is not None and not passing:
                self._refused += self._under_way.journeys
                self._under_way = None
        if not self._failing:
            log.warning(
                "traces: %s does not take them: %s; %s until it does",
                self._place,
                error,
                f"the newest {QUEUE_MAX:,} wait" if passing else "dropped",
            )
        self._failing = True


def _journeys(told: Iterable[Told]) -> int:
    return sum(isinstance(one, Journey) for one in told)


def make_exporter(
    options: Traces,
    *,
    pipeline: str,
    group: str,
    model: str,
    environ: Mapping[str, str] = os.environ,
) -> Exporter | None:
    """The exporter of a pipeline's traces; None where the environment turns them off.

    Args:
        options: what the user set.
        pipeline: the pipeline's name; the ``service.name`` where ``OTEL_SERVICE_NAME`` says none.
        group: its consumer group.
        model: the model's variant and digest.
        environ: the environment.

    Raises:
        ConfigError: what the file or the environment says of the collector is wrong.
    """
    if disabled(TRACES, environ):
        return None
    transport, collector = connect(options, TRACES, environ)
    maker = SpanMaker(resource_of(pipeline), pipeline=pipeline, group=group, model=model)
    return Exporter(maker, transport, collector.url)

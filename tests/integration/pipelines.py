"""Pipelines under test: their file, a run in a thread, a run as the command, and what came out."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import sys
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

import msgspec
import yaml

from streamproc.config import load
from streamproc.runtime import Pipeline, Service
from tests.benchmarks.workloads import WORKLOADS
from tests.support import PATIENCE_S, Background, wait_until
from tests.support.kafka import Message, Record, committed, create_topics, fill, read, stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from streamproc.core import Int64Array, Outcome, TopicPartition
    from streamproc.telemetry import Summary
    from tests.support.kafka import KafkaBroker

TICK = WORKLOADS["tick"]
NS_PER_S = 1_000_000_000
T = TypeVar("T")


def size_of(name: str, default: int) -> int:
    """A test's size: small unless the environment variable says otherwise."""
    return int(os.environ.get(name, default))


def write_config(
    folder: Path,
    *,
    name: str,
    bootstrap: str,
    topic: str,
    sink: str,
    sink_changes: Mapping[str, Any] | None = None,
    **more: Any,
) -> Path:
    """Write the file of a pipeline over tick events; ``more`` is merged over it, mapping by mapping.

    A mapping with ``python`` replaces what was there.
    """
    model = folder / "tick.onnx"
    if not model.exists():
        TICK.write_model(model)
    kafka = {"bootstrap_servers": bootstrap, "topics": [topic], "auto_offset_reset": "earliest"}
    config: dict[str, Any] = {
        "name": name,
        "source": {"kafka": kafka},
        "codec": {"json": {"fields": {"ts": "int64", "features": "float32[16]"}}},
        "features": ["features"],
        "deadline": {"budget": "10m"},
        "model": {"path": "tick.onnx"},
        "output": {"labels": list(TICK.labels), "scores": True},
        "sink": {"kafka": {"topic": sink, **(sink_changes or {})}},
        "telemetry": {"metrics": {"listen": None}},
    }
    _merge(config, more)
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


class Setup(NamedTuple):
    """A pipeline's topics, made, and its file, written."""

    source: str
    sink: str
    config: Path


def set_up(
    kafka: KafkaBroker, name: str, folder: Path, *, partitions: int = 4, **more: Any
) -> Setup:
    """Make the topics ``NAME`` and ``NAME-out``, and write the file of the pipeline ``NAME`` between them.

    Args:
        kafka: the broker.
        name: of the pipeline and its source topic.
        folder: for the file.
        partitions: of each topic.
        **more: merged over the file; see ``write_config``.
    """
    source, sink = name, f"{name}-out"
    create_topics(kafka.bootstrap, source, sink, partitions=partitions)
    config = write_config(
        folder, name=name, bootstrap=kafka.bootstrap, topic=source, sink=sink, **more
    )
    return Setup(source, sink, config)


def _merge(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict) and "python" not in value:
            _merge(into[key], value)
        else:
            into[key] = value


class InThread:
    """A pipeline on an event loop of its own, in a thread: the test goes on beside it.

    Attributes:
        service: the service, to look at.
        address: of its endpoints; None where they are off.
        final: what became final: (topic, partition, offset) and the outcomes, in order.
    """

    def __init__(
        self,
        config: Path,
        *,
        stop_after: int | None = None,
        idle_s: float | None = None,
        on_commit: Callable[[Mapping[TopicPartition, int]], None] | None = None,
    ) -> None:
        """Start it.

        Args:
            config: the pipeline's file.
            stop_after: end after so many records.
            idle_s: end when nothing came for so long.
            on_commit: is told of positions before they are committed.
        """
        self._pipeline = Pipeline.from_file(load(config, environ={}))
        self._stop_after = stop_after
        self._idle_ns = None if idle_s is None else int(idle_s * NS_PER_S)
        self._on_commit = on_commit
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._summary: Summary | None = None
        self._failure: BaseException | None = None
        self.service: Service | None = None
        self.address: str | None = None
        self.final: dict[tuple[str, int, int], list[Outcome]] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.ask_to_stop()
        self._thread.join(60)
        if kind is None:
            self.result()

    def ready(self, timeout_s: float = PATIENCE_S) -> Self:
        """Wait until it runs."""
        self._ready.wait(timeout_s)
        if self._failure is not None:
            raise self._failure
        assert self._ready.is_set(), "the pipeline did not start in time"
        return self

    def until(self, what: str, check: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
        """``wait_until``, but not longer than the pipeline lives."""

        def checked() -> T | bool:
            return check() or not self._thread.is_alive()

        wait_until(what, checked, timeout_s)
        if self._failure is not None:
            raise self._failure
        answer = check()
        assert answer, f"the pipeline ended before: {what}"
        return answer

    def call(self, function: Callable[[], Any]) -> Any:
        """Call a function on the pipeline's event loop, or a coroutine function and wait for it."""
        assert self._loop is not None

        async def called() -> Any:
            answer = function()
            return await answer if inspect.isawaitable(answer) else answer

        return asyncio.run_coroutine_threadsafe(called(), self._loop).result(60)

    def ask_to_stop(self) -> None:
        if self._loop is not None and self.service is not None and self._thread.is_alive():
            try:
                self._loop.call_soon_threadsafe(self.service.stop)
            except RuntimeError:  # it ended in this moment
                return

    def stop(self, timeout_s: float = 60.0) -> Summary:
        """Ask for the end and wait for it."""
        self.ready()
        self.ask_to_stop()
        return self.result(timeout_s)

    def result(self, timeout_s: float = 60.0) -> Summary:
        """Wait for the end; gives the summary, or raises what the pipeline raised."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), f"the pipeline did not end: {self.summary()}"
        if self._failure is not None:
            raise self._failure
        assert self._summary is not None
        return self._summary

    def summary(self) -> Summary | None:
        return self.service.summary() if self.service is not None else None

    @property
    def consumed(self) -> int:
        summary = self.summary()
        return summary["consumed"] if summary else 0

    def _run(self) -> None:
        try:
            self._summary = asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - raised again where the test waits
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> Summary:
        self._loop = asyncio.get_running_loop()
        parts = self._pipeline.parts()
        if self._on_commit is not None:
            self._watch_commits(parts.source, self._on_commit)
        self.service = Service(
            self._pipeline,
            parts,
            stop_after=self._stop_after,
            stop_when_idle_ns=self._idle_ns,
            on_ready=self._started,
        )
        return await self.service.run()

    def _watch_commits(
        self, source: Any, told: Callable[[Mapping[TopicPartition, int]], None]
    ) -> None:
        commit = source.commit

        async def watched(positions: Mapping[TopicPartition, int]) -> None:
            told(positions)
            await commit(positions)

        source.commit = watched

    def _started(self, address: str | None) -> None:
        self.address = address
        assert self.service is not None
        assert self.service._assembly is not None
        self.service._assembly.settlement.witness = self._final
        self._ready.set()

    def _final(
        self,
        source: TopicPartition,
        offset: Int64Array,
        row: Int64Array | None,
        outcome: Outcome,
        reason: str,
        ns: int,
    ) -> None:
        for number in offset.tolist():
            self.final.setdefault((source.topic, source.partition, number), []).append(outcome)


class Command(Background):
    """``streamproc run`` as a program of its own."""

    def __init__(self, config: Path, *args: str, log: Path | None = None) -> None:
        log = log or config.with_suffix(".log")
        self._stdout = log.with_suffix(".out")
        self._stdout.write_bytes(b"")
        super().__init__(
            [sys.executable, "-m", "streamproc", "run", str(config), "--json", *args],
            log=log,
            stdout=self._stdout,
            env={"PYTHONFAULTHANDLER": "1"},
        )

    def terminate(self) -> None:
        """SIGTERM."""
        os.kill(self.process.pid, signal.SIGTERM)

    def answer(self) -> Any:
        """What it printed at its end."""
        return json.loads(self._stdout.read_text())


class Load:
    """Events at a steady rate from a thread of its own, until told to stop or all are sent."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        *,
        rate: int,
        events: int = 1 << 40,
        messages: Callable[[int], Iterator[Message]] = TICK.messages,
        **settings: Any,
    ) -> None:
        self._bootstrap, self._topic, self._rate, self._events = bootstrap, topic, rate, events
        self._of = messages
        self._settings = {"linger.ms": 2, "compression.type": "none", **settings}
        self._stopped = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(60)

    def stop(self) -> int:
        """Send no more; gives how many were sent."""
        self._stopped.set()
        return self.wait()

    def wait(self, timeout_s: float = 120.0) -> int:
        """Wait until all are sent; gives how many."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "the load is not sent"
        if self._failure is not None:
            raise self._failure
        return self.sent

    def _run(self) -> None:
        try:
            self.sent = fill(self._bootstrap, self._topic, self._messages(), self._settings)
        except Exception as error:  # noqa: BLE001 - raised again where the test waits
            self._failure = error

    def _messages(self) -> Iterator[Message]:
        """Bursts of 10 ms, by an absolute schedule."""
        burst, started = max(1, self._rate // 100), time.monotonic()
        for number, message in enumerate(self._of(self._events)):
            if number % burst == 0:
                due = started + number / self._rate
                if self._stopped.wait(max(0.0, due - time.monotonic())):
                    return
            yield message


def report(what: str, **figures: object) -> None:
    """Figures for the docs: into the file that STREAMPROC_FIGURES names, and to pytest's captured output."""
    line = json.dumps({"what": what, **figures})
    print(line)
    if path := os.environ.get("STREAMPROC_FIGURES"):
        with Path(path).open("a") as file:
            file.write(line + "\n")


class Output(msgspec.Struct, frozen=True):
    """A decision as a stranger reads it: no code of streamproc."""

    id: str
    schema_version: int
    pipeline: str
    outcome: str
    model: dict[str, str]
    key: str | None
    event_time_ns: int
    deadline_ns: int
    decided_ns: int
    output: dict[str, Any]


_OUTPUT = msgspec.json.Decoder(Output)


def decision(record: Record) -> Output:
    assert record.value is not None
    return _OUTPUT.decode(record.value)


def decisions(bootstrap: str, topic: str, *, at_least: int = 0) -> list[tuple[Record, Output]]:
    """All decisions of a topic, by partition and offset."""
    return [(r, decision(r)) for r in read(bootstrap, topic, at_least=at_least)]


def ids(bootstrap: str, topic: str) -> list[str]:
    """The ids of all records of an input topic."""
    return [f"{m.topic()}/{m.partition()}/{m.offset()}" for m in stream(bootstrap, topic)]


@cache
def right_answers(model: Path) -> list[int]:
    return TICK.right_answers(model)


def assert_adds_up(summary: Summary) -> None:
    """The outcomes add up to what was consumed."""
    assert sum(summary["outcomes"].values()) == summary["consumed"], summary


def headers(record: Record) -> dict[str, bytes | None]:
    return dict(record.headers)


def letter_ids(records: Iterable[Record]) -> list[str]:
    """The ids of the inputs that dead letters or shed records are about."""
    return [(headers(r)["streamproc-source"] or b"").decode() for r in records]


def times_left_out(output: Output) -> bytes:
    """What a repeat of a decision must have in common with the first."""
    kept = msgspec.structs.replace(output, decided_ns=0, outcome="")
    return msgspec.json.encode(kept)


def run_under_load(kafka: KafkaBroker, config: Path, name: str, *, rate: int, events: int) -> Any:
    """Run a pipeline as a program under a steady load, until nothing comes any more.

    Args:
        kafka: the broker.
        config: the pipeline's file.
        name: of its group and its source topic, which has two partitions.
        rate: events a second.
        events: how many.

    Returns:
        what the program printed at its end.
    """
    command = Command(config, "--stop-when-idle", "1s")
    try:
        wait_until("its start", lambda: len(committed(kafka.bootstrap, name, name)) == 2)
        with Load(kafka.bootstrap, name, rate=rate, events=events) as load:
            load.wait(60 + events / rate)
        assert command.process.wait(60) == 0, command.log_tail()
    finally:
        command.kill()
    return command.answer()

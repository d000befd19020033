"""Where a scenario plays: topics of its own on the cluster, workers of one group, a load, and the audit at the end."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tests.faults.audit import Audit, audit
from tests.faults.victim import VARIABLE
from tests.integration.pipelines import TICK, Load, write_config
from tests.support import Background, wait_until
from tests.support.kafka import committed, create_topics, end_offsets, members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from streamproc.testing.audit import Delivery
    from tests.support.kafka import KafkaCluster, Message

ROOT = Path(__file__).resolve().parents[2]
PARTITIONS = 6
RATE = 500
"""Events a second: enough that something is always under way; the machine has other things to do."""
FLOWS_S = 90.0
"""How long a pipeline may take to work again once the fault is over; a busy machine needs a third of it to start Python."""
SETTLE_S = 120.0


class Worker(Background):
    """``streamproc run``, to which something may happen at a named point; see ``victim``."""

    def __init__(
        self, config: Path, *args: str, log: Path, fault: str | None, code: Path | None
    ) -> None:
        program = "streamproc" if fault is None else "tests.faults.victim"
        # With -P the folder that the test runs in is not looked into: PYTHONPATH alone says which code it is.
        super().__init__(
            [sys.executable, "-P", "-m", program, "run", str(config), *args],
            log=log,
            env={
                "PYTHONFAULTHANDLER": "1",
                "PYTHONPATH": str(code or ROOT),
                VARIABLE: fault or "",
            },
        )


class Stage:
    """One scenario's world; in a ``with`` block.

    Attributes:
        cluster: the brokers and their proxies.
        rng: where everything random comes from.
        folder: for files.
        source: the topic of the events.
        sink: the topic of the decisions.
        group: the consumer group, and the pipeline's name.
        workers: the processes, in the order of their starts.
        said: what the table shall say beside the accounts.
        audits: what ``finish`` found.
        delivery: what the pipeline promises.
    """

    def __init__(self, cluster: KafkaCluster, name: str, folder: Path, seed: int) -> None:
        self.cluster = cluster
        self.seed = seed
        # The same name and seed give the same random numbers, whatever else is run.
        self.rng = np.random.default_rng([seed, *name.encode()])
        self.folder = folder
        run = f"{name.replace('_', '-')}-{seed}-{time.time_ns() % 1_000_000}"
        self.source, self.sink, self.shed, self.group = run, f"{run}-out", f"{run}-shed", run
        self.workers: list[Worker] = []
        self.said: list[str] = []
        self.audits: list[Audit] = []
        self.delivery: Delivery = "at_least_once"
        self._load: Load | None = None
        self._exits = ExitStack()
        self._configs = 0

    def __enter__(self) -> Self:
        self.cluster.mend()
        create_topics(
            self.direct,
            self.source,
            self.shed,
            f"{self.group}.dlq",
            partitions=PARTITIONS,
            replication=3,
        )
        self.make_sink()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()
        for worker in self.workers:
            worker.kill()

    @property
    def direct(self) -> str:
        """Brokers for the test's own clients, past the proxies."""
        return self.cluster.direct

    def make_sink(self) -> None:
        """Make the decisions topic; the broker's own time tells when a decision was there to be read."""
        create_topics(
            self.direct,
            self.sink,
            partitions=PARTITIONS,
            replication=3,
            config={"message.timestamp.type": "LogAppendTime"},
        )

    def config(self, **changes: Any) -> Path:
        """Write a pipeline's file; ``changes`` are merged over it."""
        self._configs += 1
        folder = self.folder / f"{self._configs}"
        folder.mkdir()
        return write_config(
            folder,
            name=self.group,
            bootstrap=self.cluster.bootstrap,
            topic=self.source,
            sink=self.sink,
            **{
                **({} if self.delivery == "at_least_once" else {"delivery": self.delivery}),
                **changes,
                "source": _merged(
                    {"kafka": {"commit_interval": "200ms", "session_timeout": "6s"}},
                    changes.get("source", {}),
                ),
                "outcomes": {"shed_topic": self.shed, **changes.get("outcomes", {})},
            },
        )

    def start(
        self,
        config: Path | None = None,
        *args: str,
        fault: str | None = None,
        code: Path | None = None,
    ) -> Worker:
        """Start a process of the group.

        Args:
            config: its file; None takes the usual one.
            args: further words of the command.
            fault: what happens to it, and where; see ``victim``.
            code: a folder with another version of ``streamproc``; None takes this one.
        """
        config = config or self.config()
        log = config.with_name(f"{len(self.workers)}.log")
        worker = Worker(config, *args, log=log, fault=fault, code=code)
        self.workers.append(worker)
        return worker

    def supervise(self, wanted: int) -> None:
        """Start processes until so many run, as a supervisor would."""
        for _ in range(wanted - len(self.running)):
            self.start()

    def load(
        self, rate: int = RATE, messages: Callable[[int], Iterator[Message]] = TICK.messages
    ) -> Load:
        """Begin to send events, until ``stop_load`` or ``finish``; ``messages`` makes so many of them."""
        assert self._load is None
        settings = {"acks": "all", "message.timeout.ms": 300_000, "log_level": 2}
        self._load = Load(self.direct, self.source, rate=rate, messages=messages, **settings)
        self._exits.enter_context(self._load)
        return self._load

    @property
    def running(self) -> list[Worker]:
        """The processes that live."""
        return [worker for worker in self.workers if worker.running]

    def decided(self) -> int:
        """How many decisions are there."""
        return sum(end_offsets(self.direct, self.sink).values())

    def flows(self, decisions: int = 500, timeout_s: float = FLOWS_S) -> float:
        """Wait until so many more decisions are there; gives how long it took, in seconds.

        Raises:
            AssertionError: no process is left that could make them.
            TimeoutError: they did not come.
        """
        started = time.monotonic()
        [before] = wait_until("the brokers answer", lambda: [self.decided()], timeout_s)

        def over() -> bool:
            return self.decided() >= before + decisions or not self.running

        wait_until(f"{decisions} decisions more in {self.sink}", over, timeout_s)
        assert self.running, "no process is left"
        return time.monotonic() - started

    def joined(self, processes: int) -> None:
        """Wait until the group has so many members."""
        wait_until(
            f"{processes} members",
            lambda: len(members(self.direct, self.group)) == processes,
            FLOWS_S,
        )

    def pause(self, low_s: float, high_s: float | None = None) -> float:
        """Let time go by: the length of a fault, not a wait for something."""
        seconds = low_s if high_s is None else float(self.rng.uniform(low_s, high_s))
        time.sleep(seconds)
        return seconds

    def say(self, text: str) -> None:
        """Something for the table."""
        self.said.append(text)

    def stop_load(self) -> int:
        """Send no more; gives how many events were sent."""
        load, self._load = self._load, None
        assert load is not None
        return load.stop()

    def settle(self) -> None:
        """Wait until the group has committed everything."""
        # A leader that has just moved may not answer yet.
        ends = wait_until("the ends are known", lambda: end_offsets(self.direct, self.source))
        wait_until(
            "everything is committed",
            lambda: committed(self.direct, self.group, self.source) == ends,
            SETTLE_S,
        )

    def begun(self, worker: Worker) -> None:
        """Wait until it has said that it reads."""
        wait_until("it has begun", lambda: self._has_begun(worker), FLOWS_S)

    def end(self, worker: Worker) -> None:
        """Let a worker finish what it has taken in and end, while the load goes on.

        Raises:
            AssertionError: it did not end as it should. One that has not begun yet may end by the signal.
        """
        has_begun = self._has_begun(worker)
        status = worker.stop(60)
        assert status == 0 or not has_begun, f"exit status {status}: {worker.log_tail()}"

    def finish(
        self, *, repeats_max: int | None = None, start: Mapping[int, int] | None = None
    ) -> Audit:
        """End the load, let all be decided and committed, end the workers, and look at the accounts.

        Args:
            repeats_max: how many outcomes may be there twice; None for any number.
            start: by partition, from which offset on events count; None for all that are there.

        Raises:
            AssertionError: something is lost, out of order, or repeated otherwise than it was; or a worker did
                not end as it should.
        """
        if self._load is not None:
            self.stop_load()
        self.settle()
        for worker in self.running:
            self.end(worker)
        found = audit(
            self.direct,
            source=self.source,
            sink=self.sink,
            shed=self.shed,
            group=self.group,
            delivery=self.delivery,
            start=start or {},
        )
        self.audits.append(found)
        assert not found.problems, "; ".join(found.problems)
        assert repeats_max is None or found.repeats <= repeats_max, f"repeated: {found}"
        return found

    def _has_begun(self, worker: Worker) -> bool:
        return f"{self.source} -> {self.sink}" in worker.log_tail(1_000_000)

    def log_tails(self) -> str:
        """The ends of the workers' logs, for a failure."""
        return "\n".join(
            f"--- worker {i}, status {w.process.poll()}\n{w.log_tail()}"
            for i, w in enumerate(self.workers)
        )


def _merged(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """One mapping over another, mapping by mapping."""
    both = dict(low)
    for key, value in high.items():
        below = both.get(key)
        is_deeper = isinstance(below, dict) and isinstance(value, dict)
        both[key] = _merged(below, value) if is_deeper else value
    return both

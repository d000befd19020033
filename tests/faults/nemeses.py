"""Faults that come and go while a pipeline works: each strikes, lasts, and is over when its function returns.

A scenario looks at one of them by itself; the random mode strings them together.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from tests.support import wait_until
from tests.support.kafka import coordinator
from tests.support.tcp_proxy import PRODUCE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.stage import Stage, Worker

    Nemesis = Callable[[Stage], None]


def kill_broker(stage: Stage, down_s: float | None = None) -> None:
    """SIGKILL one of the three, and start it again."""
    cluster = stage.cluster
    broker = cluster.brokers[int(stage.rng.integers(len(cluster.brokers)))]
    broker.kill()
    stage.pause(4.0 if down_s is None else down_s)
    cluster.mend()


def kill_all_brokers(stage: Stage, down_s: float | None = None) -> None:
    """SIGKILL all three at once, and start them again."""
    for broker in stage.cluster.brokers:
        broker.kill()
    stage.pause(5.0 if down_s is None else down_s)
    stage.cluster.mend()


def stop_coordinator(stage: Stage) -> None:
    """Shut down, in order, the broker that coordinates the group."""
    number = coordinator(stage.direct, stage.group) - 1
    stage.cluster.brokers[number].stop()
    wait_until(
        "another coordinator", lambda: coordinator(stage.direct, stage.group) - 1 != number, 60
    )
    stage.pause(2.0)
    stage.cluster.mend()


def stop_process(stage: Stage, beyond_s: float = 9.0) -> None:
    """SIGSTOP one of the processes for longer than its session, then let it go on: a zombie."""
    worker = _any_running(stage)
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        stage.pause(beyond_s)
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def kill_process(stage: Stage) -> None:
    """SIGKILL one of the processes, and start another."""
    _any_running(stage).kill()
    stage.start()


def end_process(stage: Stage) -> None:
    """SIGTERM to one of the processes, and start another."""
    stage.end(_any_running(stage))
    stage.start()


def slow_network(stage: Stage) -> None:
    """A hundred milliseconds to and fro, by a line of its own for each broker."""
    for proxy in stage.cluster.proxies:
        proxy.change(delay_s=float(stage.rng.uniform(0.05, 0.15)))
    stage.pause(4.0, 8.0)
    _mend(stage)


def narrow_network(stage: Stage) -> None:
    """Connections that carry some ten kilobytes a second."""
    for proxy in stage.cluster.proxies:
        proxy.change(bytes_per_s=float(stage.rng.uniform(20_000, 60_000)))
    stage.pause(4.0, 8.0)
    _mend(stage)


def silent_network(stage: Stage, silent_s: float | None = None) -> None:
    """Half-open: connections stand, are even accepted anew, and nothing comes through."""
    for proxy in stage.cluster.proxies:
        proxy.change(silent=True)
    stage.pause(6.0 if silent_s is None else silent_s)
    _mend(stage)


def cut_network(stage: Stage) -> None:
    """Reset all connections, some times in a row."""
    for _ in range(int(stage.rng.integers(2, 6))):
        for proxy in stage.cluster.proxies:
            proxy.cut()
        stage.pause(0.1, 1.0)


def lose_acknowledgements(stage: Stage) -> None:
    """What is produced arrives, and its acknowledgements do not; then the connections are reset."""
    met = 0
    for proxy in stage.cluster.proxies:
        proxy.change(answers_lost=True, only_api=PRODUCE)
    stage.pause(0.5, 1.5)
    for proxy in stage.cluster.proxies:
        met += proxy.cut(only_api=PRODUCE)
    _mend(stage)
    assert met, "no connection had produced anything"


RANDOM: tuple[Nemesis, ...] = (
    kill_broker,
    stop_coordinator,
    stop_process,
    kill_process,
    end_process,
    slow_network,
    narrow_network,
    silent_network,
    cut_network,
    lose_acknowledgements,
)


def _mend(stage: Stage) -> None:
    for proxy in stage.cluster.proxies:
        proxy.mend()


def _any_running(stage: Stage) -> Worker:
    running = stage.running
    assert running, "every process ended by itself"
    return running[int(stage.rng.integers(len(running)))]

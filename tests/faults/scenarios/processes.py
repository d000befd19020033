"""What goes wrong inside a process, or beside it on its machine."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

from tests.faults.scenario import scenario
from tests.support import free_port, wait_until
from tests.support.tcp_proxy import TcpProxy

if TYPE_CHECKING:
    from tests.faults.stage import Stage

PATIENCE = {"source": {"kafka": {"progress_timeout": "4s"}}}


@scenario(
    "the model never answers: its batch hangs in a thread",
    "after twice `progress_timeout` the process ends with a line and exit 1; the next decides what it had; nothing lost",
    shares=True,
)
def executor_hang(stage: Stage) -> None:
    stage.load()
    worker = stage.start(stage.config(**PATIENCE), fault="hang_in_thread:30")
    assert worker.process.wait(120) == 1, worker.log_tail()
    assert "no event got its outcome" in worker.log_tail(), worker.log_tail()
    stage.start()
    stage.flows()
    stage.say(str(stage.finish()))


@scenario(
    "the consumer is stuck: it gives nothing more, and raises nothing",
    "after `progress_timeout` it is made anew, in the same process; nothing lost or repeated",
    shares=True,
)
def stuck_consumer(stage: Stage) -> None:
    stage.load()
    worker = stage.start(stage.config(**PATIENCE), fault="stuck_consumer:30")
    wait_until("it is stuck", lambda: "connecting anew" in worker.log_tail(20_000), 90)
    stage.flows()
    stage.say(str(stage.finish(repeats_max=0)))


@scenario(
    "the event loop stands still for ever: a function on it does not return",
    "said with its place in the code after 2 s; after `progress_timeout` the process ends, exit 1; nothing lost",
    shares=True,
)
def loop_hang(stage: Stage) -> None:
    stage.load()
    worker = stage.start(stage.config(**PATIENCE), fault="hang_on_loop:30")
    assert worker.process.wait(120) == 1, worker.log_tail()
    assert "the event loop has stood still for 2.0 s, in " in worker.log_tail(), worker.log_tail()
    assert "called by forever (" in worker.log_tail(), worker.log_tail()
    assert "the event loop does not come back" in worker.log_tail(), worker.log_tail()
    stage.start()
    stage.flows()
    stage.say(str(stage.finish()))


@scenario(
    "the machine's wall clock jumps an hour ahead",
    "said in the log; deadlines do not move: nothing shed, late, lost or repeated",
    shares=True,
)
def clock_jump(stage: Stage) -> None:
    stage.load()
    worker = stage.start(fault="clock_jump:30")
    stage.flows(2_000)
    wait_until("the warning", lambda: "the wall clock is" in worker.log_tail(10_000))
    found = stage.finish(repeats_max=0)
    assert found.letters == 0, found
    stage.say(str(found))


@scenario(
    "the telemetry collector is down, then accepts and says nothing",
    "decisions do not wait for it; nothing lost or repeated",
    shares=True,
)
def collector_down(stage: Stage) -> None:
    proxy = TcpProxy(stage.cluster.proxy_loop, listen=free_port(), upstream=1)
    traces = {"otlp": f"http://127.0.0.1:{proxy.port}", "ratio": 1.0}
    stage.load()
    stage.start(stage.config(telemetry={"traces": traces}))
    stage.flows()
    proxy.change(silent=True)
    proxy.open()
    stage.flows(2_000)
    found = stage.finish(repeats_max=0)
    stage.say(f"{found}; the longest time without a decision was {found.gap_s:.1f} s")


@scenario(
    "two processes with one identity (`group_instance_id`)",
    "the older ends with a line that says so and exit 1; the younger decides on; nothing lost",
    shares=True,
)
def same_identity(stage: Stage) -> None:
    stage.load()
    config = stage.config(source={"kafka": {"group_instance_id": "the-one"}})
    older = stage.start(config)
    stage.flows()
    stage.begun(stage.start(config))
    assert older.process.wait(90) == 1, older.log_tail()
    assert "the-one" in older.log_tail(), older.log_tail()
    stage.flows()
    stage.say(str(stage.finish()))


@scenario(
    "SIGTERM while no broker answers",
    "the process ends within a minute all the same; nothing lost",
)
def sigterm_in_an_outage(stage: Stage) -> None:
    stage.load()
    worker = stage.start()
    stage.flows()
    for proxy in stage.cluster.proxies:
        proxy.change(silent=True)
    stage.pause(1.0)
    started = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    worker.process.wait(90)
    took_s = time.monotonic() - started
    for proxy in stage.cluster.proxies:
        proxy.mend()
    assert "Traceback" not in worker.log_tail(20_000), worker.log_tail()
    assert took_s < 60, f"it took {took_s:.0f} s"
    stage.start()
    stage.flows()
    stage.say(f"ended in {took_s:.0f} s with status {worker.process.returncode}; {stage.finish()}")


@scenario(
    "SIGTERM twice, while what was taken in cannot be finished",
    "the second ends the process at once, exit 143; nothing lost",
)
def second_sigterm(stage: Stage) -> None:
    stage.load()
    worker = stage.start()
    stage.flows()
    for proxy in stage.cluster.proxies:
        proxy.change(silent=True)
    stage.pause(1.0)
    os.kill(worker.pid, signal.SIGTERM)
    wait_until("the first is heard", lambda: "SIGTERM: finishing" in worker.log_tail())
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.process.wait(10) == 128 + signal.SIGTERM, worker.log_tail()
    for proxy in stage.cluster.proxies:
        proxy.mend()
    stage.start()
    stage.flows()
    stage.say(str(stage.finish()))

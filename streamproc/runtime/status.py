"""What ``/api/status`` shows, and what ``POST /api`` can do."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from streamproc.core import NS_PER_MS, VERSION, Clock, ExternalError, ModelInfo
from streamproc.runtime.recent import Recent
from streamproc.telemetry import Accounts, Gauges, Summary
from streamproc.web import Action

State = Literal["starting", "running", "paused", "stopping"]


class Running(Protocol):
    """A service, or a group of them."""

    def summary(self) -> Summary | None:
        """How things stand."""

    def accounts(self) -> Accounts | None:
        """The books; None before there are any."""

    def gauges(self) -> Gauges:
        """What is waiting."""

    def models(self) -> Sequence[ModelInfo]:
        """The models that decide."""

    def readiness(self) -> Mapping[str, bool]:
        """What readiness waits for."""

    def objectives(self) -> list[dict[str, Any]]:
        """How its objectives stand."""

    def state(self) -> State:
        """What it is doing."""

    def pause(self) -> None:
        """Take in nothing more."""

    def resume(self) -> None:
        """Take in again."""

    async def reload(self) -> Mapping[str, object]:
        """Go on with the configuration and the model files as they are now."""


class Status:
    """How things stand, as one JSON object: numbers and names from the configuration, nothing from a record.

    Args:
        running: a service, or a group of them.
        budget_ns: within which decisions are to be made.
        clock: the pipeline's.
    """

    def __init__(self, running: Running, *, budget_ns: int, clock: Clock) -> None:
        self._running = running
        self._budget_ns = budget_ns
        self._clock = clock
        self._recent = Recent()

    def show(self) -> dict[str, object]:
        """The object."""
        running, now_ns = self._running, self._clock.now_ns()
        gauges, accounts = running.gauges(), running.accounts()
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "now_ns": now_ns,
            "state": running.state(),
            "ready": all(running.readiness().values()),
            "waiting_for": [what for what, there in running.readiness().items() if not there],
            "budget_ms": self._budget_ns / NS_PER_MS,
            "models": [
                {"variant": m.variant, "digest": m.digest, "runs_on": m.runs_on}
                for m in running.models()
            ],
            **_standing(gauges),
            "recent": None
            if accounts is None
            else self._recent.look(accounts, gauges.executor_slots, now_ns),
            "rollout": None if accounts is None else accounts.rollout.view(),
            "slo": running.objectives(),
            "summary": running.summary(),
        }


def _standing(gauges: Gauges) -> dict[str, object]:
    return {
        "queue_depth": gauges.queue_depth,
        "lane_depths": dict(gauges.lane_depths),
        "variant_level": gauges.variant_level,
        "demand_workers": gauges.demand_workers,
        "lag_records": {f"{tp.topic}/{tp.partition}": n for tp, n in gauges.lag_records.items()},
        "lag_s": gauges.lag_seconds,
        "watermark_s": min(gauges.watermarks_seconds.values(), default=None),
        "loop_lag_s": gauges.loop_lag_seconds,
        "workers": None if gauges.workers is None else dict(gauges.workers.by_state),
    }


def actions_of(running: Running) -> dict[str, Action]:
    """What can be asked for by POST."""

    async def pause() -> Mapping[str, object]:
        _unless_stopping(running)
        running.pause()
        return {"state": running.state()}

    async def resume() -> Mapping[str, object]:
        _unless_stopping(running)
        running.resume()
        return {"state": running.state()}

    async def reload() -> Mapping[str, object]:
        _unless_stopping(running)
        return await running.reload()

    return {"pause": pause, "resume": resume, "reload": reload}


def _unless_stopping(running: Running) -> None:
    if running.state() == "stopping":
        msg = "the pipeline is ending"
        raise ExternalError(msg)

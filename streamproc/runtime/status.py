"""What ``/api/status`` shows, and what ``POST /api`` can do."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from streamproc.core import VERSION, ExternalError, ModelInfo
from streamproc.telemetry import Gauges, Summary
from streamproc.web import Action

State = Literal["starting", "running", "paused", "stopping"]


class Running(Protocol):
    """A service, or a group of them."""

    def summary(self) -> Summary | None:
        """How things stand."""

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


def status_of(running: Running) -> dict[str, object]:
    """How things stand, as one JSON object: numbers and names from the configuration, nothing from a record."""
    summary, gauges = running.summary(), running.gauges()
    return {
        "version": VERSION,
        "state": running.state(),
        "ready": all(running.readiness().values()),
        "waiting_for": [what for what, there in running.readiness().items() if not there],
        "models": [
            {"variant": m.variant, "digest": m.digest, "runs_on": m.runs_on}
            for m in running.models()
        ],
        "queue_depth": gauges.queue_depth,
        "lane_depths": dict(gauges.lane_depths),
        "variant_level": gauges.variant_level,
        "lag_records": {f"{tp.topic}/{tp.partition}": n for tp, n in gauges.lag_records.items()},
        "loop_lag_s": gauges.loop_lag_seconds,
        "slo": running.objectives(),
        "summary": summary,
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

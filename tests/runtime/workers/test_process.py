"""A real process: what it says is heard to its end, and how it ended is put in words."""

import asyncio
from pathlib import Path

from streamproc.core import ConfigError
from streamproc.executors import Model
from streamproc.runtime.workers.messages import Failed, Job, Report, Warm
from streamproc.runtime.workers.process import WorkerProcess
from tests.engine.pipelines import pipeline


async def test_it_says_why_it_cannot_go_on(tmp_path: Path) -> None:
    heard: list[Report] = []
    job = Job(pipeline(model=Model(path=str(tmp_path / "none.onnx"))), 0, 30)
    async with asyncio.timeout(60):
        process = await WorkerProcess.start(job)
        ended = await process.live(heard.append)
    (failed,) = heard
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ConfigError)
    assert "none.onnx" in str(failed.error)
    assert ended == f"(pid {process.pid}) ended with exit code 1"


async def test_warm_it_waits_and_can_be_stopped_or_killed() -> None:
    """No broker is needed before it joins."""
    endings = {}
    for order in ("stop", "kill"):
        heard: list[Report] = []
        async with asyncio.timeout(60):
            process = await WorkerProcess.start(Job(pipeline(), 0, 30))
            pid = process.pid

            def hear(report: Report, heard: list[Report] = heard, order: str = order,
                     process: WorkerProcess = process) -> None:  # fmt: skip
                heard.append(report)
                if isinstance(report, Warm):
                    process.tell("stop") if order == "stop" else process.kill()

            ended = await process.live(hear)
        endings[order] = ended.removeprefix(f"(pid {pid}) ")
        assert any(isinstance(report, Warm) for report in heard)
    assert endings == {"stop": "ended with exit code 0", "kill": "was killed by SIGKILL"}

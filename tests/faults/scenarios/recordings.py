"""What befalls a recording while the pipeline works: the disk is full, its process is killed."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from streamproc.connectors.capture import CaptureReader
from tests.faults.disk import small_disk
from tests.faults.scenario import scenario
from tests.support import descendants, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.faults.audit import Audit
    from tests.faults.stage import Stage, Worker


@scenario(
    "the recorder's disk is full, and has room again",
    "said in the log; decisions do not wait; nothing lost or repeated; the recording goes on and says what is missing in it",
    shares=True,
)
def recorder_disk_full(stage: Stage) -> None:
    folder = stage.folder / "recording"
    folder.mkdir()
    with small_disk(folder) as disk:

        def fault(worker: Worker) -> None:
            pid = _recorder_of(worker)
            disk.fill(pid)
            wait_until("it is said", lambda: "recording pauses" in worker.log_tail(20_000))
            stage.flows(2_000)
            disk.mend(pid)
            wait_until("it goes on", lambda: "recording goes on" in worker.log_tail(20_000))

        found = _under(stage, folder, fault)
        stage.say(f"{disk.says}; {found}; {_accounts(folder, found, 'disk_full')}")


@scenario(
    "SIGKILL of the recorder's process",
    "another goes on; decisions do not wait; nothing lost or repeated; the recording says what is missing in it",
    shares=True,
)
def recorder_killed(stage: Stage) -> None:
    folder = stage.folder / "recording"

    def fault(worker: Worker) -> None:
        pid = _recorder_of(worker)
        os.kill(pid, signal.SIGKILL)
        wait_until("another", lambda: _recorder_of(worker) != pid)

    found = _under(stage, folder, fault)
    stage.say(f"{found}; {_accounts(folder, found, 'recorder_lost')}")


def _under(stage: Stage, folder: Path, fault: Callable[[Worker], None]) -> Audit:
    """A pipeline records, something happens, it records again."""
    stage.load()
    worker = stage.start(stage.config(record={"path": str(folder), "keep_free": 0}))
    stage.flows(2_000)
    fault(worker)
    stage.flows(2_000)
    return stage.finish(repeats_max=0)


def _recorder_of(worker: Worker) -> int:
    """The process that writes; the only child of a worker whose model is in its own process."""
    [pid] = wait_until("the recorder", lambda: list(descendants(worker.pid)))
    return pid


def _accounts(folder: Path, found: Audit, reason: str) -> str:
    """Hold what is recorded against what was there: what is missing is in a gap."""
    capture = CaptureReader(folder)
    # What was handed back in a rebalance is read, and recorded, again.
    recorded = {
        (batch.source, offset) for batch in capture.records() for offset in batch.offset.tolist()
    }
    missing = found.events - len(recorded)
    gaps = list(capture.gaps())
    assert {gap.reason for gap in gaps} <= {reason}, gaps
    # What was written last may be whole on the disk although nobody could say so any more.
    told = sum(gap.dropped.get("records", 0) for gap in gaps)
    assert 0 <= missing <= told, f"{missing} records are missing, {told} are said to be"
    return f"{len(recorded):,} recorded, {missing:,} missing in {len(gaps)} gap"

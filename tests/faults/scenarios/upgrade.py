"""Two versions of streamproc in one group."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.scenario import scenario

if TYPE_CHECKING:
    from tests.faults.stage import Stage

ROOT = Path(__file__).resolve().parents[3]
OLD = os.environ.get("STREAMPROC_OLD", "HEAD~40")
"""The version that is replaced: a commit or tag of this repository."""


@scenario(
    "rolling upgrade: processes of an older commit are replaced one by one by this one's, then rolled back",
    "both work in one group on one configuration; nothing lost, order kept, what comes twice says the same",
    shares=True,
)
def rolling_upgrade(stage: Stage) -> None:
    old, name = _older(stage.folder / "old")
    stage.load()
    config = stage.config()
    olds = [stage.start(config, code=old) for _ in range(2)]
    stage.joined(2)
    stage.flows()
    for worker in olds:
        stage.start(config)
        stage.joined(3)
        stage.flows()
        stage.end(worker)
        stage.flows()
    again = stage.start(config, code=old)  # the way back is open, too
    stage.joined(3)
    stage.flows()
    stage.end(again)
    stage.say(f"from {name}: {stage.finish()}")


def _older(folder: Path) -> tuple[Path, str]:
    """The package as it was; gives the folder to import it from, and the commit.

    Raises:
        RuntimeError: this is no repository, or one without that much of a history.
    """
    git = ["git", "-C", str(ROOT)]
    found = subprocess.run(
        [*git, "rev-parse", "--short", "--verify", f"{OLD}^{{commit}}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode != 0:
        msg = f"no commit {OLD!r} here: name another by STREAMPROC_OLD ({found.stderr.strip()})"
        raise RuntimeError(msg)
    commit = found.stdout.strip()
    packed = subprocess.run(
        [*git, "archive", commit, "streamproc"], capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder, commit

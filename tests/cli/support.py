"""The command, called as people call it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from streamproc.cli import main

ROOT = Path(__file__).parents[2]
MARKET = ROOT / "streamproc" / "templates" / "market" / "pipeline.yaml"
SENSOR = ROOT / "streamproc" / "templates" / "sensor" / "pipeline.yaml"


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        (line,) = self.out.splitlines()
        found: dict[str, Any] = json.loads(line)
        return found


def call(capsys: pytest.CaptureFixture[str], *words: object) -> Answer:
    """Call the command in this process."""
    code = main([*map(str, words)])
    captured = capsys.readouterr()
    return Answer(code, captured.out, captured.err)


def environment(path: Path = ROOT, **extra: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("STREAMPROC_")}
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    others = [p for p in inherited if p and Path(p).resolve() != ROOT]
    return {**kept, "PYTHONPATH": os.pathsep.join([str(path), *others]), **extra}


def streamproc(
    *words: str,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    timeout_s: float = 90.0,
) -> Answer:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "streamproc", *words],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=env or environment(),
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Answer(done.returncode, done.stdout, done.stderr)

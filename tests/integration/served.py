"""``streamproc run`` as a program, and what its endpoints say."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.pipelines import Command
from tests.support import wait_until

if TYPE_CHECKING:
    from pathlib import Path


class ServedCommand(Command):
    """The command with endpoints.

    Args:
        config: the pipeline's file.
        *args: further words of the command.
        address: of its endpoints, as the file has it.
        log: where it logs to; by default beside the file.

    Attributes:
        address: of its endpoints.
    """

    def __init__(self, config: Path, *args: str, address: str, log: Path | None = None) -> None:
        self.address = address
        super().__init__(config, *args, log=log)

    def ready(self) -> None:
        """Wait until it reads."""
        wait_until("ready", lambda: self.running and self.get("/readyz")[0] == 200)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def readiness(self) -> tuple[int, list[str]]:
        """The status of /readyz, and what it waits for."""
        status, body = self.get("/readyz")
        waiting: list[str] = json.loads(body)["waiting_for"]
        return status, waiting

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples that have these labels."""
        return sum(
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def consumed(self) -> float:
        return self.metric("streamproc_outcomes_total")

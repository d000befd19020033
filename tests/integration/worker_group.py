"""``streamproc run --workers N`` under test: its processes and its endpoints."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.pipelines import Command, write_config
from tests.support import descendants, free_port, wait_until
from tests.support.kafka import create_topics

if TYPE_CHECKING:
    from pathlib import Path


class WorkerCommand(Command):
    """The command with workers, over tick events.

    Attributes:
        source: the topic that it reads.
        sink: the topic that it writes.
        group: its consumer group.
        address: of its endpoints.
    """

    def __init__(
        self,
        folder: Path,
        bootstrap: str,
        name: str,
        *args: str,
        count: int = 2,
        partitions: int = 4,
        token: str | None = None,
        **changes: Any,
    ) -> None:
        self.source, self.sink, self.group = name, f"{name}-out", name
        self.address = f"127.0.0.1:{free_port()}"
        metrics = {"listen": self.address, **({"token": token} if token else {})}
        create_topics(bootstrap, self.source, self.sink, partitions=partitions)
        config = write_config(
            folder,
            name=name,
            bootstrap=bootstrap,
            topic=self.source,
            sink=self.sink,
            **{"telemetry": {"metrics": metrics}, **changes},
        )
        super().__init__(config, "--workers", str(count), *args)

    def ready(self) -> None:
        wait_until("ready", lambda: self.running and self.get("/readyz")[0] == 200, 60)

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

    def worker_pids(self) -> list[int]:
        """Its workers, in the order of their starts."""
        return sorted(
            pid for pid, line in descendants(self.pid).items() if "workers.worker" in line
        )

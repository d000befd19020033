"""``streamproc run --workers N`` under test: its processes and its endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.pipelines import write_config
from tests.integration.served import ServedCommand
from tests.support import descendants, free_port
from tests.support.kafka import create_topics

if TYPE_CHECKING:
    from pathlib import Path


class WorkerCommand(ServedCommand):
    """The command with workers, over tick events.

    Attributes:
        source: the topic that it reads.
        sink: the topic that it writes.
        group: its consumer group.
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
        address = f"127.0.0.1:{free_port()}"
        metrics = {"listen": address, **({"token": token} if token else {})}
        create_topics(bootstrap, self.source, self.sink, partitions=partitions)
        config = write_config(
            folder,
            name=name,
            bootstrap=bootstrap,
            topic=self.source,
            sink=self.sink,
            **{"telemetry": {"metrics": metrics}, **changes},
        )
        super().__init__(config, "--workers", str(count), *args, address=address)

    def worker_pids(self) -> list[int]:
        """Its workers, in the order of their starts."""
        return sorted(
            pid for pid, line in descendants(self.pid).items() if "workers.worker" in line
        )

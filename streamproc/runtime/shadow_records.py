"""What a shadow decided, and what was published instead: written to a topic or a file beside the pipeline's own way."""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from streamproc.config import PipelineConfig, kafka_sink, kafka_source
from streamproc.connectors.kafka import Access, TopicWriter
from streamproc.core import ExternalError
from streamproc.engine import Compared, ShadowPlan

log = logging.getLogger(__name__)

SCHEMA_VERSION: Final = 1
WAITING_MAX: Final = 8_192
"""Records that wait to be written; what comes beyond them is not."""
_TOGETHER: Final = 512
_PAUSE_S: Final = 5.0
"""After a failure nothing is tried for so long; what comes meanwhile waits, or is dropped."""
_CLOSE_S: Final = 5.0


class ShadowRecord(msgspec.Struct, frozen=True):
    """An event that a shadow decided too.

    Attributes:
        id: of the published decision.
        pipeline: its name.
        key: the event's key; null where it has none.
        event_time_ns: when it happened.
        variant: what made the published decision.
        published: the output of the published decision.
        shadow: the name of the shadow.
        decided: the output of the decision that was not published.
        differs: whether they are different decisions.
        difference: how far their numbers lie apart at most; null where they do not compare.
        schema_version: of this form.
    """

    id: str
    pipeline: str
    key: str | None
    event_time_ns: int
    variant: str
    published: msgspec.Raw
    shadow: str
    decided: msgspec.Raw
    differs: bool
    difference: float | None
    schema_version: int = SCHEMA_VERSION


Records = Sequence[tuple[bytes, bytes]]


class ShadowRecords:
    """Belongs to the event loop; writes on a task of its own, and drops what it cannot write.

    Args:
        config: the pipeline.
        shadow: what the engine is told of the shadow now; None where there is none.
        variants: the names of all that runs now.
    """

    def __init__(
        self,
        config: PipelineConfig,
        *,
        shadow: Callable[[], ShadowPlan | None],
        variants: Callable[[], Sequence[str]],
    ) -> None:
        self._config = config
        self._shadow = shadow
        self._variants = variants
        self._waiting: deque[tuple[ShadowPlan, bytes, bytes]] = deque()
        self._something = asyncio.Event()
        self._writers: dict[str, TopicWriter] = {}
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def told(self, compared: Compared) -> None:
        """Take a comparison; where it is of a shadow that is to be recorded."""
        plan = self._shadow()
        if plan is None or plan.name != compared.candidate or not (plan.topic or plan.file):
            return
        for key, value in self._records(compared):
            if len(self._waiting) >= WAITING_MAX:
                self.dropped += 1
            else:
                self._waiting.append((plan, key, value))
        self._something.set()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Write what waits, for a short while."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(TimeoutError, ExternalError, OSError):
            async with asyncio.timeout(_CLOSE_S):
                while self._waiting:
                    await self._write_some()
        for writer in self._writers.values():
            await writer.stop()
        self.dropped += len(self._waiting)
        if self.dropped:
            log.warning("%d records of what a shadow decided were not written", self.dropped)

    def _records(self, compared: Compared) -> Records:
        events, variants = compared.events, self._variants()
        rows = [""] * len(events)
        if events.row is not None:
            rows = [f"/{row}" if row >= 0 else "" for row in events.row.tolist()]
        level = compared.level
        distance = compared.differences.distance
        columns = zip(
            events.offset.tolist(),
            rows,
            events.key.tolist(),
            events.event_time_ns.tolist(),
            compared.published.json_texts(),
            compared.aside.json_texts(),
            compared.differences.differs.tolist(),
            np.where(np.isfinite(distance), distance, -1.0).tolist(),
            strict=True,
        )
        return [
            (
                key or b"",
                msgspec.json.encode(
                    ShadowRecord(
                        f"{compared.id_prefix}{offset}{row}",
                        self._config.name,
                        None if key is None else key.decode(errors="replace"),
                        time_ns,
                        variants[level] if level < len(variants) else "",
                        msgspec.Raw(published),
                        compared.candidate,
                        msgspec.Raw(aside),
                        differs,
                        None if apart < 0 else apart,
                    )
                ),
            )
            for offset, row, key, time_ns, published, aside, differs, apart in columns
        ]

    async def _run(self) -> None:
        said = ""
        while True:
            await self._something.wait()
            self._something.clear()
            try:
                while self._waiting:
                    await self._write_some()
                    said = ""
            except (ExternalError, OSError) as error:
                if str(error) != said:  # it is tried again and again
                    log.warning("what a shadow decided cannot be written: %s", error)
                said = str(error)
                await asyncio.sleep(_PAUSE_S)
                self._something.set()

    async def _write_some(self) -> None:
        """Those next to each other that go to one place; they are let go of once they are there."""
        plan = self._waiting[0][0]
        some: list[tuple[bytes, bytes]] = []
        for other, key, value in self._waiting:
            if other is not plan or len(some) == _TOGETHER:
                break
            some.append((key, value))
        if plan.file is not None:
            lines = b"".join(value + b"\n" for _, value in some)
            await asyncio.to_thread(_append, Path(plan.file), lines)
        if plan.topic is not None:
            await self._writer(plan.topic).write(some)
        for _ in some:
            self._waiting.popleft()

    def _writer(self, topic: str) -> TopicWriter:
        if topic not in self._writers:
            source = kafka_source(self._config, "rollout.shadow.topic")
            sink = kafka_sink(self._config, "rollout.shadow.topic")
            self._writers[topic] = TopicWriter(Access.of_sink(sink, source), topic, sink)
        return self._writers[topic]


def _append(path: Path, lines: bytes) -> None:
    with path.open("ab") as file:
        file.write(lines)

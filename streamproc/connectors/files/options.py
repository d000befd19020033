"""What a user can set of files as source and sink."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Speed = float | Literal["max"]


@dataclass(frozen=True, slots=True)
class CaptureSource:
    """A recording, played once: the run ends with it.

    Attributes:
        path: a recording's file, or the folder with its files.
        topics: those that are played; empty for all.
        speed: how many times quicker than it was; ``max`` waits for nothing.
    """

    path: str
    topics: Sequence[str] = ()
    speed: Speed = 1.0

    def __post_init__(self) -> None:
        _check(self.speed)


@dataclass(frozen=True, slots=True)
class FileSource:
    """JSON lines, read once: the run ends with them.

    A line is an event, or a record with ``value`` and what else ``streamproc import`` takes. An event comes when
    ``event_time.field`` says that it happened.

    Attributes:
        path: the file; one whose name ends with ``.gz`` is unpacked.
        topic: of lines that name none; empty takes the file's name up to its first dot.
        rate: records a second, where they have no time.
        speed: how many times quicker than they say; ``max`` waits for nothing.
    """

    path: str
    topic: str = ""
    rate: float = 1000.0
    speed: Speed = 1.0

    def __post_init__(self) -> None:
        _check(self.speed)
        if self.rate <= 0:
            msg = f"rate must be above 0, was {self.rate:g}"
            raise ValueError(msg)

    @property
    def topics(self) -> tuple[str, ...]:
        """The topic of lines that name none."""
        return (self.topic or topic_of(Path(self.path)),)


@dataclass(frozen=True, slots=True)
class FileSink:
    """JSON lines: each decision one, as Kafka would get it.

    Dead letters and shed events, where ``outcomes`` names topics for them, are records in files of their own beside
    it, ``TOPIC.jsonl``, which ``streamproc import`` reads.

    Attributes:
        path: the file of the decisions.
        append: whether a file that is there is kept and written on; null does so behind ``source.kafka``, which goes
            on where it was, and begins a new one behind a file or a recording, which comes from its begin each time.
    """

    path: str
    append: bool | None = None

    @property
    def topic(self) -> str:
        """What stands for the topic of decisions."""
        return topic_of(Path(self.path))

    def file_of(self, topic: str) -> Path:
        """Where the records of a topic are written."""
        path = Path(self.path)
        return path if topic == self.topic else path.with_name(f"{topic}.jsonl")


def topic_of(path: Path) -> str:
    """A file's name up to its first dot, with what a topic's name may hold."""
    name = path.name.split(".")[0]
    return (
        "".join(c if (c.isalnum() and c.isascii()) or c in "._-" else "-" for c in name) or "events"
    )


def _check(speed: Speed) -> None:
    if speed != "max" and not 0 < speed < float("inf"):
        msg = f"speed must be above 0, or max, was {speed:g}"
        raise ValueError(msg)

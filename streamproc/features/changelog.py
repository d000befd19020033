"""Where what rewinding cannot restore is written, and how often."""

from dataclasses import dataclass

from streamproc.core import Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangelogTopic:
    """A compacted topic that holds what is remembered of each key, as Kafka Streams' changelogs do.

    A restart reads its own partition of it, then the records behind the place up to which that holds. It is for what has
    no bound in time; where all has one, rewinding needs no topic.

    Attributes:
        topic: its name; made where it does not exist, compacted, with as many partitions as the source's topics have. One
            pipeline's alone.
        interval: how often keys whose state changed are written, each once. A longer one writes less, and lets a
            restart read as much more of the source again.
    """

    topic: str
    interval: Duration = Duration.parse("5s")  # noqa: RUF009 - immutable

    def __post_init__(self) -> None:
        if self.interval <= 0:
            msg = "interval must be longer than 0, such as 5s"
            raise ValueError(msg)

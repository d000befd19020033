"""What a user can set of the metrics."""

from dataclasses import dataclass, field

PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Metrics:
    """The HTTP endpoints ``/metrics``, ``/livez`` and ``/readyz``.

    Attributes:
        listen: ``host:port``; port 0 takes a free one; None turns them off.
    """

    listen: str | None = "127.0.0.1:9464"

    def __post_init__(self) -> None:
        if self.listen is not None:
            host, _, port = self.listen.rpartition(":")
            if not host or not port.isdigit() or int(port) > PORT_MAX:
                msg = f"listen must be host:port, such as 127.0.0.1:9464, was {self.listen!r}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What the pipeline tells of itself."""

    metrics: Metrics = field(default_factory=Metrics)

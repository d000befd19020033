"""The embedded broker: librdkafka's mock cluster, inside this process.

For demonstrations and first steps without Java or Docker. It speaks the real protocol, groups and commits
included; it keeps everything in memory (about 5 MB a partition), makes topics with four partitions when
they are first named, and answers a fetch only after the whole of ``fetch_max_wait``: set 1 ms there.
"""

from types import TracebackType
from typing import Any, Self

from streamproc.core import ExternalError

_START_TIMEOUT_S = 10


class EmbeddedBroker:
    """A broker on loopback, for as long as the ``with`` block lasts."""

    def __init__(self) -> None:
        self._client: Any = None
        self.servers = ""
        """``host:port`` of it."""

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            ExternalError: confluent-kafka, which carries it, is not installed.
        """
        try:
            from confluent_kafka import Producer  # noqa: PLC0415 - an extra
        except ImportError as error:
            msg = "the embedded broker needs confluent-kafka: pip install 'streamproc[embedded]', or name a broker"
            raise ExternalError(msg) from error
        self._client = Producer({"test.mock.num.brokers": 1, "log_level": 0})
        brokers = self._client.list_topics(timeout=_START_TIMEOUT_S).brokers
        self.servers = ",".join(f"{b.host}:{b.port}" for b in brokers.values())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it; what it held is gone."""
        self._client = None

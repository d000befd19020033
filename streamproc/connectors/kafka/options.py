"""What a user can set of the Kafka source and sink."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from streamproc.core import Duration, Size


@dataclass(frozen=True, slots=True)
class KafkaSource:
    """A consumer of a group.

    Attributes:
        topics: the topics that are read.
        bootstrap_servers: ``host:port``, several with commas.
        group_id: the consumer group; empty stands for the pipeline's name.
        group_instance_id: makes a static member of it: one that comes back within the session timeout gets its
            partitions without a rebalance. With ``--workers`` each gets one by itself, the host and a number,
            or this and a number.
        auto_offset_reset: where to begin without a committed offset; resolved to an offset and
            committed before the first fetch. A topic or partition that the group meets later begins at its
            earliest record.
        isolation_level: ``read_committed`` passes over what aborted transactions wrote.
        commit_interval: how often finished positions are committed.
        session_timeout: how long the group waits for a silent member.
        progress_timeout: how long no event may get its outcome though some wait, at brokers that answer: then the
            consumer is made anew, and after as long again the process ends, for a supervisor to start it; null never.
        fetch_max_wait: how long the broker may hold a fetch back when there is nothing new.
        max_partition_fetch: bytes of one partition a fetch; at least the topic's largest record.
        security: ``security_protocol``, ``sasl_*`` and ``ssl_*`` settings as aiokafka or librdkafka
            call them (docs/security.md lists them); used for the sink as well unless it has its own.
        client: further settings of ``AIOKafkaConsumer``.
    """

    topics: Sequence[str]
    bootstrap_servers: str = "localhost:9092"
    group_id: str = ""
    group_instance_id: str | None = None
    auto_offset_reset: Literal["earliest", "latest"] = "latest"
    isolation_level: Literal["read_uncommitted", "read_committed"] = "read_uncommitted"
    commit_interval: Duration = Duration.parse("1s")  # noqa: RUF009 - immutable
    session_timeout: Duration = Duration.parse("10s")  # noqa: RUF009 - immutable
    progress_timeout: Duration | None = Duration.parse("60s")  # noqa: RUF009 - immutable
    fetch_max_wait: Duration = Duration.parse("100ms")  # noqa: RUF009 - immutable
    max_partition_fetch: Size = Size.parse("4MiB")  # noqa: RUF009 - immutable
    security: Mapping[str, str] = field(default_factory=dict, repr=False)
    client: Mapping[str, object] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.topics:
            msg = "topics is empty: name at least one topic"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class KafkaSink:
    """An idempotent producer with acks=all.

    Attributes:
        topic: where decisions go.
        bootstrap_servers: ``host:port``; empty takes the source's.
        key: a decoded field that becomes the decision's key; None keeps the event's.
        headers: names of an event's headers that its decision has too, besides ``traceparent``, ``tracestate``
            and ``x-deadline-ns``; no others are passed on.
        linger: how long a batch waits for more.
        max_batch: bytes of one batch of records.
        compression: of the batches.
        delivery_timeout: after so long without an acknowledgement the producer is made anew and sends again.
        max_record: a longer record is not sent; the topic's ``max.message.bytes``.
        security: as the source's, unless said.
        client: further settings of ``AIOKafkaProducer``.
    """

    topic: str
    bootstrap_servers: str = ""
    key: str | None = None
    headers: Sequence[str] = ()
    linger: Duration = Duration(0)  # noqa: RUF009 - immutable
    max_batch: Size = Size.parse("256KiB")  # noqa: RUF009 - immutable
    compression: Literal["none", "gzip", "snappy", "lz4", "zstd"] = "none"
    delivery_timeout: Duration = Duration.parse("30s")  # noqa: RUF009 - immutable
    max_record: Size = Size.parse("1000KiB")  # noqa: RUF009 - immutable
    security: Mapping[str, str] = field(default_factory=dict, repr=False)
    client: Mapping[str, object] = field(default_factory=dict, repr=False)

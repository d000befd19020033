"""The broker of a demo: topics that nobody else has."""

import ipaddress
import uuid
from dataclasses import dataclass, field
from typing import ClassVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from streamproc.connectors.kafka import Access
from streamproc.core import NS_PER_MS, ConfigError

PARTITIONS = 4
_APPEND_TIME = {"message.timestamp.type": "LogAppendTime"}
"""The broker stamps decisions with its own clock: what "in time" means without asking the pipeline."""


def _identity() -> str:
    return f"demo-{uuid.uuid4().hex[:8]}"  # noqa: TID251 - a name that nobody else has


@dataclass(frozen=True, slots=True)
class DemoBroker:
    """A broker and the demo's topics on it.

    Attributes:
        servers: its addresses.
        keep_topics: whether they stay when the demo is over.
        group: the consumer group; the topics' names begin with it.
    """

    servers: str
    keep_topics: bool = True
    group: str = field(default_factory=_identity)

    name: ClassVar[str] = "real"
    overrides: ClassVar[tuple[str, ...]] = ()
    pause_ns: ClassVar[int] = 3 * NS_PER_MS
    """Between two sends of the player; Kafka's own producer lingers for 5 ms. The embedded broker gives one
    batch of a partition a fetch, about 700 a second: more batches than that would wait for each other."""

    @property
    def events(self) -> str:
        """The topic that the recording is played into."""
        return f"{self.group}-events"

    @property
    def decisions(self) -> str:
        """The topic of the decisions."""
        return f"{self.group}-decisions"

    @property
    def dead_letters(self) -> str:
        """The topic of the dead letters."""
        return f"{self.group}-dlq"

    @property
    def topics(self) -> list[str]:
        """All of them."""
        return [self.events, self.decisions, self.dead_letters]

    @property
    def shares_our_clock(self) -> bool:
        """True where it runs on this machine, so that its times can be held against ours."""
        for server in self.servers.split(","):
            host = server.strip().rpartition(":")[0].strip("[]")
            try:
                local = ipaddress.ip_address(host).is_loopback
            except ValueError:
                local = host == "localhost"
            if not local:
                return False
        return True

    async def prepare(self) -> None:
        """Make the topics.

        Raises:
            ConfigError: the address is none, or the broker refuses.
            ExternalError: it cannot be reached.
        """
        access = Access("--broker", self.servers)
        await access.check_reachable()
        async with access.explained():
            admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
            try:
                await admin.start()
                await self._make(admin)
            finally:
                await admin.close()

    async def clean_up(self) -> None:
        """Remove the topics, unless they are to stay."""
        if self.keep_topics:
            return
        async with Access("--broker", self.servers).explained():
            admin = AIOKafkaAdminClient(bootstrap_servers=self.servers)
            try:
                await admin.start()
                await admin.delete_topics(self.topics)
            finally:
                await admin.close()

    async def _make(self, admin: AIOKafkaAdminClient) -> None:
        answer = await admin.create_topics(
            [
                NewTopic(self.events, PARTITIONS, 1),
                NewTopic(self.decisions, PARTITIONS, 1, topic_configs=_APPEND_TIME),
                NewTopic(self.dead_letters, PARTITIONS, 1),
            ]
        )
        for topic, code, *_ in answer.topic_errors:
            if code:
                msg = f"--broker: topic {topic} cannot be made on {self.servers} ({for_code(code).__name__})"
                raise ConfigError(msg)


class EmbeddedDemoBroker(DemoBroker):
    """The one in this process: topics are made when they are first named."""

    name: ClassVar[str] = "embedded"
    # It answers a fetch only when the whole time is up.
    overrides: ClassVar[tuple[str, ...]] = ("source.kafka.fetch_max_wait=1ms",)

    async def clean_up(self) -> None:
        """Nothing outlives the process."""

    async def _make(self, admin: AIOKafkaAdminClient) -> None:
        await admin.describe_topics(self.topics)

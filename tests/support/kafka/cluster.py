"""Three brokers of Apache Kafka (KRaft, combined roles), each with a proxied address that it tells its clients.

A broker has three doors: behind its proxy the one that is advertised to whoever comes through the proxy; a
direct one for the other brokers and for the test's own clients, whom no fault of the network shall meet; and one
for a user with a password, who may do what ACLs allow.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self

from tests.support.kafka.broker import KafkaBroker
from tests.support.processes import free_port
from tests.support.tcp_proxy import ProxyLoop, TcpProxy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# A node of three: the whole takes about a gigabyte.
CLUSTER_JVM = (
    "-Xms128m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
)

USER, PASSWORD = "app", "of-the-tests"

_SHARED = {
    "listener.security.protocol.map": "CLIENT:PLAINTEXT,DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT,USER:SASL_PLAINTEXT",
    "listener.name.user.sasl.enabled.mechanisms": "PLAIN",
    "listener.name.user.plain.sasl.jaas.config": "org.apache.kafka.common.security.plain.PlainLoginModule required "
    f'user_{USER}="{PASSWORD}";',
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",  # whoever comes by another door than that of users
    "inter.broker.listener.name": "DIRECT",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",  # acks=all is two of three: one may be lost
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "group.min.session.timeout.ms": "1000",
    # A dead broker is noticed in 3 s, not in 9; less would take a busy machine's pauses for deaths.
    "broker.session.timeout.ms": "3000",
    "controller.quorum.election.timeout.ms": "1000",
    "controller.quorum.fetch.timeout.ms": "2000",
    "replica.lag.time.max.ms": "5000",
    "auto.leader.rebalance.enable": "true",
    "leader.imbalance.check.interval.seconds": "5",
}


class KafkaCluster:
    """Three brokers and their proxies; in a ``with`` block.

    Attributes:
        brokers: the brokers, by their place; broker ``i`` has the id ``i + 1``.
        proxies: their proxies, in the same order.
        bootstrap: for the pipelines under test: through the proxies.
        proxy_loop: where proxies run; a test may add its own.
        for_user: for a pipeline that is to be a user, with ``user`` and ``password``.
        direct: for the test's own clients: past the proxies.
    """

    def __init__(self, overrides: Mapping[str, str] | None = None, size: int = 3) -> None:
        """Prepare it.

        Args:
            overrides: settings of every broker beside ours.
            size: how many brokers.
        """
        self._exits = ExitStack()
        client, direct, controller, user = ([free_port() for _ in range(size)] for _ in range(4))
        voters = ",".join(f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(controller))
        self.proxy_loop = ProxyLoop()
        self.proxies = [
            TcpProxy(self.proxy_loop, listen=free_port(), upstream=port) for port in client
        ]
        self.brokers = [
            KafkaBroker(
                {
                    **_SHARED,
                    "node.id": str(i + 1),
                    "controller.quorum.voters": voters,
                    "listeners": f"CLIENT://127.0.0.1:{client[i]},DIRECT://127.0.0.1:{direct[i]},"
                    f"CONTROLLER://127.0.0.1:{controller[i]},USER://127.0.0.1:{user[i]}",
                    "advertised.listeners": f"CLIENT://127.0.0.1:{self.proxies[i].port},"
                    f"DIRECT://127.0.0.1:{direct[i]},USER://127.0.0.1:{user[i]}",
                    **(overrides or {}),
                },
                jvm=CLUSTER_JVM,
                probe=(direct[i], False),
            )
            for i in range(size)
        ]
        self.bootstrap = ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.proxies)
        self.user, self.password = USER, PASSWORD
        self.for_user = ",".join(f"127.0.0.1:{port}" for port in user)
        self.direct = ",".join(f"127.0.0.1:{port}" for port in direct)

    def __enter__(self) -> Self:
        try:
            self._exits.enter_context(self.proxy_loop)
            for broker in self.brokers:
                self._exits.callback(broker.close)
            with ThreadPoolExecutor(len(self.brokers)) as together:
                list(together.map(KafkaBroker.prepare, self.brokers))
            _start(self.brokers)
            for proxy in self.proxies:
                proxy.open()
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def mend(self) -> None:
        """Start what was stopped or killed, and let the network be as it was."""
        for proxy in self.proxies:
            proxy.mend()
        _start([broker for broker in self.brokers if not broker.running])

    def log_tail(self) -> str:
        return "\n".join(broker.log_tail(1_500) for broker in self.brokers)


def _start(brokers: Sequence[KafkaBroker]) -> None:
    """Start all, then wait for each: alone, none becomes ready."""
    for broker in brokers:
        broker.launch()
    for broker in brokers:
        broker.wait_ready()

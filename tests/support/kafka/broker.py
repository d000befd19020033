"""Apache Kafka as it is in production, from Maven's jars: one node (KRaft), PLAINTEXT, on loopback."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.support.processes import Background, free_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parents[2]
_CLUSTER_ID = "c3RyZWFtcHJvYy10ZXN0MQ"  # any base64 of 16 bytes

# Half the memory and a quicker start: right for tests, whose broker lives for minutes.
SMALL_JVM = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
# With the optimising compiler: right where the broker's own share of the cores matters.
BENCH_JVM = ("-Xmx1g",)

_DEFAULTS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",  # a topic that nobody made is a mistake, and shall look like one
    "num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",  # the first member of a group need not wait 3 s for others
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "log.cleaner.dedupe.buffer.size": "8388608",  # the default takes 128 MiB of the heap
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1000",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "2000",  # a killed broker is let back in once its old session is over
}


def jar_folder() -> Path:
    """Where the jars are: ``$KAFKA_LIBS``, or where ``make kafka-jars`` puts them."""
    given = os.environ.get("KAFKA_LIBS")
    return Path(given) if given else _ROOT / ".cache" / "kafka-libs"


def kafka_version() -> str:
    """The version of the jars, from their names: ``4.1.0``."""
    return next(jar_folder().glob("kafka_*.jar")).stem.rpartition("-")[2]


def why_unavailable() -> str | None:
    """What this machine lacks to start Kafka, and what to do about it; None if nothing."""
    if shutil.which("java") is None:
        return "Kafka needs Java 17 or newer, and there is no `java`: install a JRE, then `make kafka-jars`"
    if not any(jar_folder().glob("kafka_*.jar")):
        return f"no Kafka jars in {jar_folder()}: run `make kafka-jars` (needs Maven), or set KAFKA_LIBS"
    return None


class KafkaBroker:
    """A broker with a temporary folder; in a ``with`` block, or by ``start``, ``stop`` and ``close``.

    ``stop`` or ``kill``, then ``start``, is a restart: same port, same data.

    Attributes:
        bootstrap: ``host:port`` for clients.
    """

    def __init__(
        self,
        overrides: Mapping[str, str] | None = None,
        jvm: Sequence[str] = SMALL_JVM,
        *,
        formatting: Sequence[str] = (),
        probe: tuple[int, bool] | None = None,
    ) -> None:
        """Prepare it.

        Args:
            overrides: broker settings beside or instead of ours; ``advertised.listeners`` for a proxy in front.
            jvm: options of the Java machine.
            formatting: further words for the formatting of its storage, such as SCRAM users.
            probe: the port that shows that it answers, and whether it speaks TLS; by default the plain one.
        """
        self._jvm = tuple(jvm)
        self._formatting = tuple(formatting)
        self._folder: Path | None = None
        self._program: Background | None = None
        self._port = free_port()
        controller = free_port()
        self._probe = probe or (self._port, False)
        self.bootstrap = f"127.0.0.1:{self._port}"
        self._settings = {
            **_DEFAULTS,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            **(overrides or {}),
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def running(self) -> bool:
        return self._program is not None and self._program.running

    @property
    def pid(self) -> int:
        if self._program is None:
            msg = "the broker is not started"
            raise RuntimeError(msg)
        return self._program.pid

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises:
            RuntimeError: it cannot be started, or did not answer; the text ends with its log.
        """
        self.launch()
        self.wait_ready()

    def prepare(self) -> None:
        """Make its folder, if that is not done yet.

        Raises:
            RuntimeError: it cannot be made.
        """
        if (lacking := why_unavailable()) is not None:
            raise RuntimeError(lacking)
        if self._folder is None:
            self._folder = self._format()

    def launch(self) -> None:
        """Start it, without waiting: a node of a cluster is ready only when others are there.

        In a thread that lives as long as the broker shall: it ends with the thread.

        Raises:
            RuntimeError: it cannot be started.
        """
        self.prepare()
        assert self._folder is not None
        self._program = Background(
            self._java("kafka.Kafka", str(self._folder / "server.properties")),
            log=self._folder / "kafka.log",
        )

    def wait_ready(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it did not; the text ends with its log.
        """
        try:
            wait_until("Kafka's answer", self._ready_or_dead, timeout_s=90)
        except TimeoutError as error:
            raise self._failed(str(error)) from error
        except BaseException:  # Ctrl-C: leave nothing behind
            self.close()
            raise
        if self._program is not None and not self._program.running:
            what = f"Kafka ended with status {self._program.process.returncode}"
            raise self._failed(what)

    def stop(self) -> None:
        """Shut down in order (SIGTERM)."""
        if self._program is not None:
            self._program.stop()

    def kill(self) -> None:
        """Crash (SIGKILL)."""
        if self._program is not None:
            self._program.kill()

    def close(self) -> None:
        """Stop, and remove the data."""
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def log_tail(self, chars: int = 3_000) -> str:
        return self._program.log_tail(chars) if self._program and self._folder else ""

    def _java(self, *args: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={_HERE / 'log4j2.xml'}"
        return ["java", *self._jvm, logging, "-cp", f"{jar_folder()}/*", *args]

    def _format(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="streamproc-kafka-"))
        settings = {**self._settings, "log.dirs": str(folder / "data")}
        properties = folder / "server.properties"
        properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        formatting = ["format", "-t", _CLUSTER_ID, "-c", str(properties), *self._formatting]
        done = subprocess.run(
            self._java("kafka.tools.StorageTool", *formatting),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(folder, ignore_errors=True)
            msg = f"Kafka's storage cannot be formatted (status {done.returncode}):\n{done.stdout[-3_000:]}"
            raise RuntimeError(msg)
        return folder

    def _failed(self, what: str) -> RuntimeError:
        log = self.log_tail()
        self.close()
        return RuntimeError(f"{what}; the end of its log:\n{log}")

    def _ready_or_dead(self) -> bool:
        return (self._program is not None and not self._program.running) or _answers(*self._probe)


def _answers(port: int, tls: bool) -> bool:
    """Whether a broker answers an ApiVersions request: a port that is open is too early."""
    api_versions, version, correlation_id, client_id = 18, 0, 1, b"test"
    body = struct.pack(">hhih4s", api_versions, version, correlation_id, len(client_id), client_id)
    with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        if not tls:
            return _asked(connection, body)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(connection) as secured:
            return _asked(secured, body)


def _asked(connection: socket.socket, body: bytes) -> bool:
    connection.sendall(struct.pack(">i", len(body)) + body)
    return len(connection.recv(4)) == 4

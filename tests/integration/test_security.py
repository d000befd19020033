"""TLS, SASL and ACLs on a real broker: the documented configuration works, and each mistake is one line that names it."""

from __future__ import annotations

import gc
import json
import logging
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from streamproc.cli import main
from streamproc.config import load
from streamproc.core import ConfigError
from tests.integration.pipelines import TICK, InThread, assert_adds_up, decisions, write_config
from tests.support import wait_until
from tests.support.kafka import Message, committed, create_topics, end_offsets, fill
from tests.support.kafka.secured import PASSWORDS, SecuredBroker, make_certificates, token

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kafka

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
TOKEN_LIFE_S = 6.0
EVENTS = 200
BOUND_S = 60.0
"""Of a refusal, on a machine that does much else; alone it takes less than a second."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """A broker with the topics ``in``, ``out`` and ``in.dlq``, and the ACLs that docs/security.md names."""
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    with SecuredBroker(folder, reauth_ms=int(TOKEN_LIFE_S * 1000)) as secured:
        create_topics(secured.bootstrap, "in", "out", "app.dlq")
        reads = [("topic", "in", "read"), ("group", "app", "read")]
        writes = [("topic", "out", "write"), ("topic", "app.dlq", "write")]
        secured.allow("User:app", *reads, *writes)
        secured.allow("User:CN=robot", *reads, *writes)
        secured.allow(
            "User:app",
            ("topic", "app.dlq", "read"),
            ("topic", "in", "write"),
            ("transactional_id", "app.redrive", "write"),
        )
        secured.allow("User:app", ("transactional_id", "app/", "write"), pattern="prefixed")
        secured.allow("User:no-topic", reads[1], *writes)
        secured.allow("User:no-read", ("topic", "in", "describe"), reads[1], *writes)
        secured.allow("User:no-group", reads[0], *writes)
        secured.allow("User:no-write", *reads, ("topic", "out", "describe"), writes[1])
        fill(secured.bootstrap, "in", TICK.messages(EVENTS))
        yield secured


@pytest.fixture(autouse=True)
def _wide(untouched: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


def scram(broker: SecuredBroker, user: str = "app") -> dict[str, Any]:
    return {
        "bootstrap_servers": broker.sasl,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": user,
        "sasl_plain_password": PASSWORDS[user],
        "ssl_cafile": str(broker.folder / "ca.crt"),
    }


def certificate(broker: SecuredBroker, owner: str) -> dict[str, Any]:
    return {
        "bootstrap_servers": broker.mtls,
        "security_protocol": "SSL",
        "ssl_cafile": str(broker.folder / "ca.crt"),
        "ssl_certfile": str(broker.folder / f"{owner}.crt"),
        "ssl_keyfile": str(broker.folder / f"{owner}.key"),
    }


def bearer(broker: SecuredBroker, text: str) -> dict[str, Any]:
    kept = scram(broker)
    del kept["sasl_plain_username"], kept["sasl_plain_password"]
    return {**kept, "sasl_mechanism": "OAUTHBEARER", "sasl_oauthbearer_token": text}


def config_of(folder: Path, kafka: dict[str, Any]) -> Path:
    return write_config(
        folder, name="app", bootstrap="", topic="in", sink="out", source={"kafka": kafka}
    )


def decided(broker: SecuredBroker) -> int:
    return sum(end_offsets(broker.bootstrap, "out").values())


def test_the_configuration_in_the_docs_decides(broker: SecuredBroker, tmp_path: Path) -> None:
    """The block of docs/security.md, with this broker's address and files in it."""
    text = PAGE.read_text(encoding="utf-8").partition("```yaml\n")[2].partition("```")[0]
    (tmp_path / "password").write_text(PASSWORDS["app"])
    for written, real in {
        "kafka.example.com:9093": broker.sasl,
        "/etc/kafka/ca.pem": str(broker.folder / "ca.crt"),
        "/run/secrets/kafka-password": str(tmp_path / "password"),
        "ticks": "in",
        "topic: decisions": "topic: out",
    }.items():
        assert written in text
        text = text.replace(written, real)
    ends = yaml.safe_load(text)
    before = decided(broker)
    fill(broker.bootstrap, "in", TICK.messages(EVENTS))
    assert ends.pop("sink") == {"kafka": {"topic": "out"}}
    path = write_config(tmp_path, name="app", bootstrap="", topic="", sink="out", **ends)
    assert InThread(path, stop_after=EVENTS).result()["consumed"] == EVENTS
    assert decided(broker) == before + EVENTS


def test_dead_letters_are_listed_and_put_back_with_their_acls(
    broker: SecuredBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(broker.bootstrap, "in", [Message(b"{", b"k")])
    path = config_of(tmp_path, scram(broker))
    assert InThread(path, idle_s=2).result()["outcomes"]["dead_letter"] == 1
    assert main(["dlq", "list", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["reasons"] == {"undecodable": 1}
    assert main(["dlq", "redrive", str(path), "--all", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["returned"]) == 1
    assert (
        InThread(path, idle_s=2).result()["outcomes"]["dead_letter"] == 1
    )  # it is back, and broken

    reader = config_of(tmp_path, scram(broker, "no-read"))
    _one_line(capsys, ["dlq", "list", str(reader)], "outcomes.dead_letter_topic: ", codes={2})


@pytest.mark.parametrize("how", ["SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN", "mtls"])
def test_the_documented_configuration_decides(
    broker: SecuredBroker, tmp_path: Path, how: str
) -> None:
    kafka = certificate(broker, "robot")
    if how != "mtls":
        kafka = {**scram(broker), "sasl_mechanism": how}
    before = decided(broker)
    fill(broker.bootstrap, "in", TICK.messages(EVENTS))
    summary = InThread(config_of(tmp_path, kafka), stop_after=EVENTS).result()
    assert_adds_up(summary)
    assert summary["consumed"] == EVENTS
    assert decided(broker) == before + EVENTS


def test_a_token_is_read_again_before_it_is_too_old(broker: SecuredBroker, tmp_path: Path) -> None:
    """Somebody keeps the file fresh; the broker ends each connection with the life of its token."""
    with KeptFresh(tmp_path / "token"):
        before = decided(broker)
        config = config_of(tmp_path, bearer(broker, "${file:token}"))
        pipeline = InThread(config, stop_after=2 * EVENTS)
        fill(broker.bootstrap, "in", TICK.messages(EVENTS))
        wait_until("decisions", lambda: decided(broker) >= before + EVENTS, timeout_s=120)
        first_s = time.monotonic()
        wait_until(
            "the end of every token so far",
            lambda: time.monotonic() - first_s > 1.5 * TOKEN_LIFE_S,
            timeout_s=60,
        )
        fill(broker.bootstrap, "in", TICK.messages(EVENTS))
        summary = pipeline.result(120)
    assert_adds_up(summary)
    assert summary["consumed"] == 2 * EVENTS
    ids = [decision.id for _, decision in decisions(broker.bootstrap, "out")]
    assert len(set(ids)) >= before + 2 * EVENTS


def test_a_reload_takes_rotated_credentials_and_nothing_is_lost_or_comes_twice(
    broker: SecuredBroker, tmp_path: Path
) -> None:
    """The broker ends each connection after some seconds: those that follow show what the reload brought."""
    first, second, old = (tmp_path / name for name in ("first", "second", "old"))
    first.write_text(token("app"))
    second.write_text(token("app"))
    old.write_text(token("app", life_s=-60))

    def with_token(file: Path) -> Path:
        return config_of(tmp_path, bearer(broker, f"${{file:{file}}}"))

    unread = sum(end_offsets(broker.bootstrap, "in").values()) - sum(
        committed(broker.bootstrap, "app", "in").values()
    )
    before = decided(broker) + unread
    pipeline = InThread(with_token(first), stop_after=unread + 2 * EVENTS)
    fill(broker.bootstrap, "in", TICK.messages(EVENTS))
    wait_until("decisions", lambda: decided(broker) >= before + EVENTS, timeout_s=120)
    service = pipeline.service
    assert service is not None

    refused = load(with_token(old)).config
    with pytest.raises(ConfigError, match="refuses the token: it is out of date"):
        pipeline.call(lambda: service.reload(refused))
    other_cluster = load(with_token(second), overrides=["source.kafka.topics=[other]"]).config
    with pytest.raises(ConfigError, match=r"source\.kafka\.topics: a reload cannot change it"):
        pipeline.call(lambda: service.reload(other_cluster))

    taken = load(with_token(second)).config
    told = pipeline.call(lambda: service.reload(taken))
    assert told["changed"] == ["source.kafka.security", "sink.kafka.security"]
    first.write_text("")  # who still showed it could not connect any more
    since_s = time.monotonic()
    wait_until(
        "the end of every connection so far",
        lambda: time.monotonic() - since_s > 1.2 * TOKEN_LIFE_S,
        timeout_s=60,
    )
    fill(broker.bootstrap, "in", TICK.messages(EVENTS))
    summary = pipeline.result(120)
    assert_adds_up(summary)
    assert summary["consumed"] == unread + 2 * EVENTS
    assert decided(broker) == before + 2 * EVENTS


class KeptFresh:
    """Writes a new token into a file, again and again, as an agent on the host would."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._keep)

    def __enter__(self) -> None:
        self._write()
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._stopped.wait(0.25):
            self._write()

    def _write(self) -> None:
        fresh = self._file.with_suffix(".new")
        fresh.write_text(token("app", life_s=TOKEN_LIFE_S))
        fresh.replace(self._file)  # at once: nobody reads half a token


WRONG = {
    "password": ({"sasl_plain_password": "wrong-secret"}, "sasl_plain_password: the broker refuses the user 'app'"),
    "user": ({"sasl_plain_username": "nobody"}, "sasl_plain_password: the broker refuses the user 'nobody'"),
    "mechanism": ({"sasl_mechanism": "PLAINER"}, "sasl_mechanism: was 'PLAINER': write one of PLAIN, SCRAM-SHA-256"),
    "unknown authority": ({"ssl_cafile": "{folder}/other-ca.crt"}, "ssl_cafile: {folder}/other-ca.crt does not hold the authority"),
    "no certificate file": ({"ssl_cafile": "{folder}/none.crt"}, "ssl_cafile: there is no file '{folder}/none.crt'"),
    "not a certificate": ({"ssl_cafile": "{folder}/ca.key"}, "ssl_cafile: {folder}/ca.key holds no certificate in PEM form"),
    "host name": ({"bootstrap_servers": "{address}"}, "bootstrap_servers: the broker's certificate is not for this name"),
    "plain client": (
        {"security_protocol": "SASL_PLAINTEXT", "ssl_cafile": None},
        "security_protocol: {sasl} speaks TLS: write SASL_SSL, not SASL_PLAINTEXT",
    ),
    "without SASL": (
        dict.fromkeys(("sasl_mechanism", "sasl_plain_username", "sasl_plain_password")) | {"security_protocol": "SSL"},
        "security_protocol: {sasl} closes the connection: does it ask for SASL?",
    ),
    "no client certificate": (
        {"ssl_certfile": None, "ssl_keyfile": None},
        "ssl_certfile: the broker at {mtls} asks for a client certificate",
    ),
    "expired client certificate": (
        {"ssl_certfile": "{folder}/late.crt", "ssl_keyfile": "{folder}/late.key"},
        "ssl_certfile: the broker refuses the certificate {folder}/late.crt (",
    ),
    "another authority's client": (
        {"ssl_certfile": "{folder}/stranger.crt", "ssl_keyfile": "{folder}/stranger.key"},
        "ssl_certfile: the broker refuses the certificate {folder}/stranger.crt (",
    ),
    "another's key": ({"ssl_keyfile": "{folder}/late.key"}, "ssl_keyfile: {folder}/late.key is not the key of"),
    "old token": ({"token": "old"}, "sasl_oauthbearer_token: the broker refuses the token: it is out of date"),
    "empty token": ({"token": "${{file:empty}}"}, "sasl_oauthbearer_token_file: the token's file {tmp}/empty holds no token"),
}  # fmt: skip


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_credential_is_one_line(
    broker: SecuredBroker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    mistake: str,
    command: str,
) -> None:
    changes, words = WRONG[mistake]
    names = {
        "folder": str(broker.folder),
        "address": broker.sasl.replace("localhost", "127.0.0.1"),
        "sasl": broker.sasl,
        "mtls": broker.mtls,
        "tmp": str(tmp_path),
    }
    (tmp_path / "empty").touch()
    kafka = certificate(broker, "robot") if "ssl_keyfile" in changes else scram(broker)
    if "token" in changes:
        old = token("app", life_s=-60)
        text = changes["token"].format() if changes["token"] != "old" else old
        kafka, changes = bearer(broker, text), {}
    for name, value in changes.items():
        kafka[name] = value.format(**names) if value is not None else None
    path = config_of(tmp_path, {k: v for k, v in kafka.items() if v is not None})
    words = words.format(**names)
    _one_line(capsys, [command, str(path)], words, codes={2})


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("no-topic", "source.kafka.topics: topic in does not exist on {sasl}, or its ACLs do not"),
        ("no-read", "source.kafka.topics: the broker denies READ on topic in: add the ACL"),
        ("no-group", "source.kafka.group_id: the broker denies READ on group app: add the ACL"),
        ("no-write", "sink.kafka.topic: the broker denies WRITE on topic out: add the ACL"),
    ],
)
def test_a_missing_acl_is_one_line(
    broker: SecuredBroker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    user: str,
    words: str,
) -> None:
    fill(broker.bootstrap, "in", TICK.messages(1))
    path = config_of(tmp_path, scram(broker, user))
    words = words.format(sasl=broker.sasl)
    _one_line(capsys, ["run", str(path), "--stop-after", "1"], words, codes={1, 2})


def test_transactions_take_one_more_acl_and_without_it_a_line_says_so(
    broker: SecuredBroker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(broker.bootstrap, "in", TICK.messages(EVENTS))

    def config(kafka: dict[str, Any]) -> Path:
        return write_config(
            tmp_path, name="app", bootstrap="", topic="in", sink="out", source={"kafka": kafka},
            delivery="exactly_once",
        )  # fmt: skip

    words = "the broker denies WRITE on transactional id app/"
    robot = config(certificate(broker, "robot"))
    _one_line(capsys, ["run", str(robot), "--stop-after", "1"], words, codes={2})
    summary = InThread(config(scram(broker)), stop_after=EVENTS).result()
    assert_adds_up(summary)
    assert summary["consumed"] == EVENTS


def _one_line(
    capsys: pytest.CaptureFixture[str], argv: list[str], words: str, *, codes: set[int]
) -> None:
    start_s = time.monotonic()
    code = main(argv)
    took_s = time.monotonic() - start_s
    err = capsys.readouterr().err
    with warnings.catch_warnings():  # aiokafka leaves what failed to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    said = [line for line in err.splitlines() if line.startswith("streamproc: ")]
    assert code in codes, err
    assert len(said) == 1, err
    assert "Traceback" not in err
    assert words in said[0]
    assert next(word for word in argv if word.endswith(".yaml")) in said[0]  # the file
    assert "secret" not in err
    assert took_s < BOUND_S


@pytest.mark.parametrize("how", ["PLAIN", "OAUTHBEARER"])
def test_at_level_debug_no_credential_is_logged(
    broker: SecuredBroker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    """At this level aiokafka would log the login's bytes."""
    secret = PASSWORDS["app"] if how == "PLAIN" else token("app")
    kafka = {**scram(broker), "sasl_mechanism": how} if how == "PLAIN" else bearer(broker, secret)
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.NOTSET, "aiokafka")  # a command before us may have made it quiet
    fill(broker.bootstrap, "in", TICK.messages(1))
    path = config_of(tmp_path, kafka)
    assert main(["run", str(path), "--stop-after", "1", "--json", "--log-level", "debug"]) == 0
    said = capsys.readouterr()
    assert "aiokafka" in caplog.text
    assert secret not in said.out + said.err + caplog.text

"""A broker as it stands in production: TLS, SASL, client certificates, and ACLs that allow nothing by themselves.

Listeners: SASL_SSL (SCRAM-SHA-256 and -512, PLAIN, OAUTHBEARER with unsigned tokens), MTLS (client certificates), and
CONTROLLER (mutual TLS: SCRAM cannot be used before the metadata exists). The PEM files are read by Kafka as they are.
"""

from __future__ import annotations

import base64
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.topics import CREDENTIALS
from tests.support.processes import free_port

if TYPE_CHECKING:
    from pathlib import Path

USERS = ("admin", "app", "no-topic", "no-read", "no-group", "no-write")
"""``admin`` may do everything, the others what a test allows them."""
PASSWORDS = {user: f"{user}-secret" for user in USERS}
_LOGIN = "org.apache.kafka.common.security"
LIFETIME_S = 3600.0


def token(user: str, *, life_s: float = LIFETIME_S) -> str:
    """An unsigned JWT, as Kafka's development mode takes them."""
    now_s = time.time()
    claims = {"sub": user, "iat": now_s - 1, "exp": now_s + life_s}

    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none'})}.{part(claims)}."


def make_certificates(folder: Path) -> None:
    """An authority, certificates of it for ``broker``, ``robot`` and ``late``, and another authority.

    All are for the name ``localhost``, not for its address. ``late`` is out of date, ``stranger`` of the other authority.
    """

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    for authority in ("ca", "other-ca"):
        openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{authority}.key"),
            *("-out", f"{authority}.crt", "-days", "2", "-subj", f"/CN={authority}"),
        )
    owners = {
        "broker": "ca",
        "robot": "ca",
        "late": "ca",
        "elsewhere": "ca",
        "stranger": "other-ca",
    }
    for owner, authority in owners.items():
        openssl(
            *("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{owner}.key"),
            *("-out", f"{owner}.csr", "-subj", f"/CN={owner}"),
        )
        (folder / "extensions").write_text("subjectAltName=DNS:localhost\n")
        openssl(
            *("x509", "-req", "-in", f"{owner}.csr", "-CA", f"{authority}.crt", "-CAkey"),
            *(
                f"{authority}.key",
                "-CAcreateserial",
                "-out",
                f"{owner}.crt",
                "-extfile",
                "extensions",
            ),
            *("-days", "-1" if owner == "late" else "2"),
        )
        both = (folder / f"{owner}.key").read_text() + (folder / f"{owner}.crt").read_text()
        (folder / f"{owner}.pem").write_text(both)


class SecuredBroker(KafkaBroker):
    """A broker that lets nobody in without a credential and allows nothing without an ACL.

    Attributes:
        mtls: ``host:port`` of the listener that asks for client certificates.
        folder: where the certificates are.
    """

    def __init__(self, folder: Path, *, reauth_ms: int = 0) -> None:
        """Prepare it.

        Args:
            folder: where ``make_certificates`` has put them.
            reauth_ms: after how long the broker closes a connection whose token is out of date; 0 for never.
        """
        self.folder = folder
        sasl_port, mtls_port, controller = free_port(), free_port(), free_port()
        self.sasl, self.mtls = f"localhost:{sasl_port}", f"localhost:{mtls_port}"
        sasl, mtls = f"SASL_SSL://127.0.0.1:{sasl_port}", f"MTLS://127.0.0.1:{mtls_port}"
        store = {
            "keystore.type": "PEM",
            "keystore.location": str(folder / "broker.pem"),
            "truststore.type": "PEM",
            "truststore.location": str(folder / "ca.crt"),
            # The broker is a client of itself: its own certificate need not be for the name it is called by.
            "endpoint.identification.algorithm": "",
        }
        listener = "listener.name.sasl_ssl"
        admin = f'username="admin" password="{PASSWORDS["admin"]}"'
        users = " ".join(f'user_{user}="{password}"' for user, password in PASSWORDS.items())
        scram = f"{_LOGIN}.scram.ScramLoginModule required {admin};"
        super().__init__(
            {
                **{f"ssl.{name}": value for name, value in store.items()},
                "controller.quorum.voters": f"1@127.0.0.1:{controller}",
                "listeners": f"{sasl},{mtls},CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": f"{sasl},{mtls}".replace("127.0.0.1", "localhost"),
                "listener.security.protocol.map": "SASL_SSL:SASL_SSL,MTLS:SSL,CONTROLLER:SSL",
                "listener.name.controller.ssl.client.auth": "required",
                "listener.name.mtls.ssl.client.auth": "required",
                "inter.broker.listener.name": "SASL_SSL",
                "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
                "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN,OAUTHBEARER",
                f"{listener}.scram-sha-256.sasl.jaas.config": scram,
                f"{listener}.scram-sha-512.sasl.jaas.config": scram,
                f"{listener}.plain.sasl.jaas.config": f"{_LOGIN}.plain.PlainLoginModule required {admin} {users};",
                f"{listener}.oauthbearer.sasl.jaas.config": f"{_LOGIN}.oauthbearer.OAuthBearerLoginModule required "
                'unsecuredLoginStringClaim_sub="admin";',
                f"{listener}.oauthbearer.connections.max.reauth.ms": str(reauth_ms),
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                "super.users": "User:admin;User:CN=broker",
                "allow.everyone.if.no.acl.found": "false",
            },
            formatting=tuple(
                word
                for user, password in PASSWORDS.items()
                for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
                for word in ("--add-scram", f"{mechanism}=[name={user},password={password}]")
            ),
            probe=(sasl_port, True),
        )
        self.bootstrap = self.sasl
        CREDENTIALS[self.bootstrap] = self.settings()

    def settings(self, user: str = "admin") -> dict[str, Any]:
        """A user's, for librdkafka."""
        return {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": PASSWORDS[user],
            "ssl.ca.location": str(self.folder / "ca.crt"),
        }

    def allow(
        self, principal: str, *rights: tuple[str, str, str], pattern: str = "literal"
    ) -> None:
        """Add ACLs: (``topic``, ``group`` or ``transactional_id``, name, operation) each."""
        admin = AdminClient({"bootstrap.servers": self.sasl, "log_level": 4, **self.settings()})
        bindings = [
            AclBinding(
                ResourceType[kind.upper()],
                name,
                ResourcePatternType[pattern.upper()],
                principal,
                "*",
                AclOperation[operation.upper()],
                AclPermissionType.ALLOW,
            )
            for kind, name, operation in rights
        ]
        for done in admin.create_acls(bindings).values():
            done.result(20)

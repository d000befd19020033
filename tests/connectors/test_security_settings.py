"""Security settings: which there are, which go together, under whose names."""

import logging

import pytest

from streamproc.connectors.kafka import named, security_problems
from streamproc.connectors.kafka.quiet import LOGGERS
from streamproc.connectors.kafka.security import client_settings
from streamproc.core import ConfigError

LOGIN = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-256",
    "sasl_plain_username": "u",
    "sasl_plain_password": "hidden-secret",
}
BEARER = {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}
ENDPOINT = {
    **BEARER,
    "sasl_oauthbearer_token_endpoint_url": "https://login.test/token",
    "sasl_oauthbearer_client_id": "me",
    "sasl_oauthbearer_client_secret": "hidden-secret",
}


@pytest.mark.parametrize("security", [{}, LOGIN, {"security_protocol": "SSL"}, ENDPOINT])
def test_what_goes_together(security: dict[str, str]) -> None:
    assert not list(security_problems(security))
    assert client_settings("b:1", security)["bootstrap_servers"] == "b:1"


@pytest.mark.parametrize(
    ("security", "setting", "words"),
    [
        ({"security_protocol": "TLS"}, "security_protocol", "must be one of PLAINTEXT, SSL"),
        ({"sasl_mechanism": "PLAIN"}, "sasl_mechanism", "has no effect with security_protocol PLAINTEXT"),
        ({"security_protocol": "SASL_PLAINTEXT", **{k: v for k, v in LOGIN.items() if "protocol" not in k},
          "ssl_cafile": "x"}, "ssl_cafile", "has no effect with security_protocol SASL_PLAINTEXT"),
        ({"security_protocol": "SASL_SSL"}, "sasl_mechanism", "is missing: write one of PLAIN"),
        ({**LOGIN, "sasl_plain_password": ""}, "sasl_plain_password", "is missing: SCRAM-SHA-256 needs it"),
        ({"security_protocol": "SSL", "ssl_keyfile": "k"}, "ssl_certfile", "is missing"),
        ({"security_protocol": "SSL", "ssl_check_hostname": "no"}, "ssl_check_hostname", "there are security_protocol"),
        (BEARER, "sasl_oauthbearer_token", "needs one of"),
        ({**ENDPOINT, "sasl_oauthbearer_token": "t"}, "sasl_oauthbearer_token_endpoint_url", "needs one of"),
        ({k: v for k, v in ENDPOINT.items() if "secret" not in k}, "sasl_oauthbearer_client_secret", "is missing"),
        ({**ENDPOINT, "sasl_oauthbearer_token_endpoint_url": "http://login.test/t"},
         "sasl_oauthbearer_token_endpoint_url", "must be https://"),
    ],
)  # fmt: skip
def test_what_does_not(security: dict[str, str], setting: str, words: str) -> None:
    found = dict(security_problems(security))
    assert words in found[setting]
    assert "hidden-secret" not in str(found)
    with pytest.raises(ConfigError, match=f"security.{setting}"):
        client_settings("b:1", security)


def test_the_names_of_others() -> None:
    given = {
        "security.protocol": "SSL",
        "sasl.mechanisms": "PLAIN",
        "sasl.oauthbearer.client.credentials.client.id": "me",
        "ssl.ca.location": "ca",
    }
    assert named(given) == {
        "security_protocol": "SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_oauthbearer_client_id": "me",
        "ssl_cafile": "ca",
    }


@pytest.mark.parametrize("name", LOGGERS)
def test_requests_and_payloads_are_not_logged_at_any_level(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, name)
    logging.getLogger(name).debug("Request: hidden-secret")
    logging.getLogger(name).info("Authenticated")
    assert [record.message for record in caplog.records] == ["Authenticated"]

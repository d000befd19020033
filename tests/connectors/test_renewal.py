"""Credentials are told apart by what they are, and by what their files hold."""

from pathlib import Path

import pytest
from aiokafka.client import AIOKafkaClient

from streamproc.connectors.kafka import Access, fingerprint
from streamproc.connectors.kafka.renewal import show
from streamproc.core import ExternalError


def of(**security: str) -> str:
    return fingerprint(Access("source.kafka", "broker:1", security))


def test_a_password_and_the_content_of_a_file_make_others(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_text("one")
    before = of(sasl_plain_password="a", ssl_cafile=str(ca))
    assert before == of(ssl_cafile=str(ca), sasl_plain_password="a")
    assert before != of(sasl_plain_password="b", ssl_cafile=str(ca))
    ca.write_text("two")
    assert before != of(sasl_plain_password="a", ssl_cafile=str(ca))
    ca.unlink()
    of(ssl_cafile=str(ca))


async def test_a_client_shows_others_from_its_next_connection_on() -> None:
    client = AIOKafkaClient(bootstrap_servers="broker:1", sasl_plain_username="u")
    show(client, {"sasl_plain_password": "new", "bootstrap_servers": "elsewhere:1"})
    assert client._sasl_plain_password == "new"
    assert client._bootstrap_servers == "broker:1"
    del client._sasl_plain_password
    with pytest.raises(ExternalError, match="restart"):
        show(client, {"sasl_plain_password": "new"})

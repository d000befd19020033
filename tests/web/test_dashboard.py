"""The page at ``/``: whole, under a policy that lets it run only itself."""

import re

from prometheus_client.registry import CollectorRegistry

from streamproc.web import Guard, OpsServer, ops_app
from streamproc.web.dashboard import dashboard
from tests.web.test_ops import ask


def test_nothing_of_it_comes_from_elsewhere() -> None:
    page = dashboard().html
    assert "{{" not in page
    assert not re.search(r"(?:src|href)=\"(?!/api/status|/metrics|data:,)", page)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "https://" not in page
    assert "@import" not in page
    assert "innerHTML" not in page  # what somebody named is text


def test_the_policy_allows_its_own_style_and_script_alone() -> None:
    policy = dict(part.strip().split(" ", 1) for part in dashboard().policy.split(";"))
    assert policy["default-src"] == "'none'"
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", policy["script-src"])
    assert re.fullmatch(r"'sha256-[A-Za-z0-9+/=]{44}'", policy["style-src"])
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"


async def test_it_is_served_where_there_is_a_status() -> None:
    for status, there in ((dict, True), (None, False)):
        app = ops_app(registry=CollectorRegistry(), readiness=dict, status=status)
        server = OpsServer(Guard(app, lambda: None), "127.0.0.1", 0)
        await server.start()
        answer = await ask(server.address, "/")
        await server.stop()
        assert answer.status == (200 if there else 404)
        if there:
            assert answer.body == dashboard().html
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["content-security-policy"] == dashboard().policy
            assert answer.headers["x-frame-options"] == "DENY"

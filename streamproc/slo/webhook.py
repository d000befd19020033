"""Alertmanager's webhook: what is posted, and the post."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import urllib3

from streamproc.core import VERSION, ExternalError
from streamproc.slo.alerts import Alert

RECEIVER: Final = "streamproc"
_FORM: Final = "4"
_TIMEOUT_S: Final = 5.0
_GOOD: Final = range(200, 300)
_AGAIN: Final = frozenset({408, 425, 429})
_SERVER: Final = 500


def message_of(pipeline: str, alerts: Sequence[Alert]) -> dict[str, Any]:
    """One message about several alerts (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).

    Args:
        pipeline: its name, by which they are grouped.
        alerts: at least one.
    """
    firing = any(alert.status == "firing" for alert in alerts)
    return {
        "version": _FORM,
        "groupKey": f'{{}}:{{pipeline="{pipeline}"}}',
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": RECEIVER,
        "groupLabels": {"pipeline": pipeline},
        "commonLabels": _common([alert.labels for alert in alerts]),
        "commonAnnotations": _common([alert.annotations for alert in alerts]),
        "externalURL": "",
        "alerts": [_plain(alert) for alert in alerts],
    }


class Webhook:
    """Posts messages, one after the other; to be called on a thread of its own.

    Args:
        pipeline: its name.
        url: where to.
        token: for ``Authorization: Bearer``; None sends none.
    """

    def __init__(self, pipeline: str, url: str, token: str | None = None) -> None:
        self._pipeline = pipeline
        self._url = url
        self.renew(token)
        self._pool = urllib3.PoolManager(num_pools=1, maxsize=1)

    def renew(self, token: str | None) -> None:
        """Send another token from the next message on."""
        headers = {"Content-Type": "application/json", "User-Agent": f"streamproc/{VERSION}"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._headers = headers

    def post(self, alerts: Sequence[Alert]) -> None:
        """Post them.

        Raises:
            ExternalError: they were not taken; ``retriable`` where another try may go better.
        """
        body = msgspec.json.encode(message_of(self._pipeline, alerts))
        try:
            answer = self._pool.request(
                "POST",
                self._url,
                body=body,
                headers=self._headers,
                timeout=_TIMEOUT_S,
                retries=False,
                redirect=False,
            )
        except urllib3.exceptions.HTTPError as error:
            msg = f"cannot be reached: {type(error).__name__}"
            raise ExternalError(msg, retriable=True) from None
        if answer.status not in _GOOD:
            again = answer.status >= _SERVER or answer.status in _AGAIN
            msg = f"answers {answer.status}"
            raise ExternalError(msg, retriable=again)

    def close(self) -> None:
        """Let the connection go."""
        self._pool.clear()


def _plain(alert: Alert) -> dict[str, Any]:
    """An alert as Alertmanager writes it: without a version of its own."""
    found: dict[str, Any] = msgspec.to_builtins(alert)
    found.pop("schemaVersion")
    return found


def _common(each: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = each
    return {
        name: value for name, value in first.items() if all(o.get(name) == value for o in others)
    }

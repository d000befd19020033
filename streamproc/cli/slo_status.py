"""What a running service says of its objectives."""

from typing import Any, Final

import orjson
import urllib3
from rich.console import Console

from streamproc.cli.screen import line, table
from streamproc.core import ExternalError
from streamproc.telemetry import Metrics

_TIMEOUT_S: Final = 5.0
_OK: Final = 200


def fetch(metrics: Metrics, url: str | None) -> list[dict[str, Any]]:
    """Ask ``/api/status``.

    Args:
        metrics: the endpoints of the configuration, and the token that they ask for.
        url: of other endpoints; None takes those.

    Raises:
        ExternalError: nobody answers, or it is no streamproc with objectives.
    """
    if url is None and metrics.listen is None:
        msg = "telemetry.metrics.listen is off: there is nothing to ask; give the URL of the endpoints"
        raise ExternalError(msg)
    place = (url or f"http://{metrics.listen}").rstrip("/")
    if not place.startswith(("http://", "https://")):
        place = f"http://{place}"
    address = f"{place.removesuffix('/api/status')}/api/status"
    headers = {} if metrics.token is None else {"Authorization": f"Bearer {metrics.token}"}
    try:
        answer = urllib3.request(
            "GET", address, headers=headers, timeout=_TIMEOUT_S, retries=False, redirect=False
        )
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        msg = f"{address} cannot be reached ({type(error).__name__}): is the service running?"
        raise ExternalError(msg) from None
    if answer.status != _OK:
        msg = f"{address} answers {answer.status}: telemetry.metrics.token must be the service's"
        raise ExternalError(msg)
    try:
        found = orjson.loads(answer.data)["slo"]
        named = [one for one in found if one["burn"] or one["name"]]
    except (ValueError, KeyError, TypeError):
        msg = f"{address} says nothing of objectives: is it a streamproc of this version?"
        raise ExternalError(msg) from None
    if not named:
        msg = f"{address} has no objectives yet: it starts, or was started without slo"
        raise ExternalError(msg)
    return named


def show_status(console: Console, found: list[dict[str, Any]]) -> None:
    """For people."""
    rows = table("objective", "promised", "good", "budget left", "window", "burns", "alert at", "")
    rows.columns[4].justify = "left"
    for one in found:
        good = one["good_percent"]
        head = [
            one["name"],
            f"{one['objective']:g}% in {one['period']}",
            "-" if good is None else f"{good:.4g}%",
            f"{100 * one['budget_left']:.1f}%",
        ]
        for burn in one["burn"]:
            notes = burn["severity"].upper() if burn["firing"] else ""
            rows.add_row(
                *head,
                f"{burn['window']} / {burn['short_window']}",
                f"{burn['rate']:.2f} / {burn['short_rate']:.2f}",
                f"{burn['threshold']:g}",
                notes,
            )
            head = [""] * len(head)
    console.print(rows)
    for one in found:
        if not one["in_session"]:
            line(console, f"{one['name']}: its session is closed")
        if one["no_data"]:
            line(console, f"{one['name']}: nothing came for too long", "red")
        if one["acting"]:
            line(console, f"{one['name']}: on_burn is in force", "yellow")

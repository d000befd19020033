"""Asks a running pipeline's endpoints."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import typer
import urllib3

from streamproc.core import ExternalError

DEFAULT_URL: Final = "http://127.0.0.1:9464"
TOKEN_VARIABLE: Final = "STREAMPROC_TOKEN"  # noqa: S105 - a name
_TIMEOUT_S: Final = 5.0
_OK, _NO_TOKEN = 200, 401


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a pipeline is asked.

    Attributes:
        url: without a path.
        token: what it wants to be shown; None where it wants none.
    """

    url: str
    token: str | None = field(default=None, repr=False)

    def status(self) -> dict[str, Any]:
        """What ``/api/status`` shows.

        Raises:
            ExternalError: it does not answer, or not with that.
        """
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        url = f"{self.url}/api/status"
        try:
            answer = urllib3.request("GET", url, headers=headers, timeout=_TIMEOUT_S, retries=False)
        except urllib3.exceptions.HTTPError as error:
            msg = (
                f"{self.url} does not answer ({type(error).__name__}): is a pipeline running there? "
                "Its address is telemetry.metrics.listen"
            )
            raise ExternalError(msg, retriable=True) from None
        if answer.status == _NO_TOKEN:
            msg = f"{self.url} wants the token of telemetry.metrics.token: give it by --token-file or {TOKEN_VARIABLE}"
            raise ExternalError(msg)
        try:
            found = json.loads(answer.data)
        except ValueError:
            found = None
        if answer.status != _OK or not isinstance(found, dict) or "state" not in found:
            msg = f"{url} answered {answer.status}, and not as a pipeline does"
            raise ExternalError(msg)
        return found


def endpoints_of(url: str, token_file: Path | None) -> Endpoints:
    """Where to ask, from what was typed; ``host:port`` will do.

    Raises:
        BadParameter: it is no address, or the token cannot be read.
    """
    whole = url if "://" in url else f"http://{url}"
    parts = urlsplit(whole)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = f"{url!r} is no address such as {DEFAULT_URL}"
        raise typer.BadParameter(msg)
    token = os.environ.get(TOKEN_VARIABLE) or None
    if token_file is not None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            msg = f"{token_file} cannot be read: {error}"
            raise typer.BadParameter(msg) from None
    return Endpoints(f"{parts.scheme}://{parts.netloc}", token)

"""The page at ``/``: one file that loads nothing but ``/api/status``, under a policy that lets it run nothing else."""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The page.

    Attributes:
        html: its text.
        policy: its ``Content-Security-Policy``: its own style and script by their digests, and this server to ask.
    """

    html: str
    policy: str


@lru_cache(maxsize=1)
def dashboard() -> Dashboard:
    """The page, put together from its three files."""
    folder = files("streamproc.web").joinpath("page")
    page, style, script = (
        folder.joinpath(name).read_text(encoding="utf-8")
        for name in ("index.html", "style.css", "live.js")
    )
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src {_digest(style)}",
            f"script-src {_digest(script)}",
            "connect-src 'self'",
            "img-src data:",  # the empty icon, so that none is asked for
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
    return Dashboard(page.replace("{{style}}", style).replace("{{script}}", script), policy)


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"

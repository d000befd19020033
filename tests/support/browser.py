"""Pages in a real browser: Chromium, started once for all of them, each in a frame of a given width."""

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_PROBE = """<!DOCTYPE html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">
<title>probe</title><body>{frames}<pre id="found"></pre><script>
const look = frame => {{
  const page = frame.contentDocument, width = frame.clientWidth;
  const scrolls = e => e.closest(".scroll") !== null;
  return {{
    page: frame.title, width,
    wide: page.documentElement.scrollWidth,
    beyond: [...page.body.querySelectorAll("*")]
      .filter(e => !scrolls(e) && e.getBoundingClientRect().right > width + 1)
      .map(e => `${{e.tagName}} ${{e.textContent.slice(0, 40)}}`),
    heading: page.querySelector("h1")?.textContent ?? "",
    alive: page.querySelectorAll("script, img, iframe").length,
  }};
}};
onload = () => found.textContent = JSON.stringify([...document.querySelectorAll("iframe")].map(look));
</script></body></html>"""
_CONSOLE = re.compile(r":CONSOLE[:(]\d+\)?\] (.*)")


@dataclass(frozen=True, slots=True)
class Look:
    """What a page looked like.

    Attributes:
        page: its name.
        width: of its frame, CSS pixels.
        wide: how wide what it shows is.
        beyond: elements that stick out on the right, as text.
        heading: its first heading.
        alive: how many elements it has that load or run something.
    """

    page: str
    width: int
    wide: int
    beyond: list[str]
    heading: str
    alive: int


@dataclass(frozen=True, slots=True)
class Visit:
    """What came of showing pages.

    Attributes:
        looks: each page at each width.
        console: what the browser's console said.
        requested: the paths that were asked for.
    """

    looks: list[Look]
    console: list[str]
    requested: list[str]


def browser() -> str | None:
    """The path of an installed browser."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


def visit(pages: Mapping[str, str], widths: Sequence[int], folder: Path) -> Visit:
    """Show pages, by name, at each of the widths.

    Raises:
        RuntimeError: the browser gave no answer.
    """
    for number, page in enumerate(pages.values()):
        (folder / f"{number}.html").write_text(page, encoding="utf-8")
    frames = "".join(
        f'<iframe title="{name}" src="{number}.html" style="width:{width}px;height:20000px;border:0"></iframe>'
        for number, name in enumerate(pages)
        for width in widths
    )
    (folder / "probe.html").write_text(_PROBE.format(frames=frames), encoding="utf-8")
    requested: list[str] = []
    server = _serve(folder, requested)
    try:
        done = _run(f"http://127.0.0.1:{server.server_port}/probe.html", folder)
    finally:
        server.shutdown()
        server.server_close()
    found = re.search(r'<pre id="found">(.+?)</pre>', done.stdout)
    if found is None:
        msg = f"the browser ended with {done.returncode} and no answer: {done.stderr[-2000:]}"
        raise RuntimeError(msg)
    text = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return Visit([Look(**look) for look in json.loads(text)], _CONSOLE.findall(done.stderr), requested)  # fmt: skip


def open_page(url: str, folder: Path, *, width: int = 1280) -> tuple[str, list[str]]:
    """Open a page as it is served, with its headers; gives its elements after some seconds, and the console's lines.

    Args:
        url: where it is, on 127.0.0.1.
        folder: for the browser's files, and a picture of it, ``WIDTH.png``.
        width: of the window, CSS pixels.
    """
    picture = folder / f"{width}.png"
    done = _run(url, folder, f"--window-size={width},2200", f"--screenshot={picture}")
    return done.stdout, _CONSOLE.findall(done.stderr)


def _run(url: str, folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    program = browser()
    assert program is not None
    return subprocess.run(
        [
            program,
            *("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
            *(["--no-sandbox"] if os.getuid() == 0 else []),
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--virtual-time-budget=20000",
            "--dump-dom",
            *options,
            url,
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _serve(folder: Path, requested: list[str]) -> http.server.ThreadingHTTPServer:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            requested.append(self.path)

    handler = functools.partial(Handler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server

"""Files that come with streamproc: at the repository's top level in a checkout, inside the package in a wheel."""

from pathlib import Path

import streamproc
from streamproc.core import ExternalError

_PACKAGE = Path(streamproc.__file__).parent


def asset(*parts: str) -> Path:
    """A file or folder of ``replay/`` or ``schemas/``.

    Raises:
        ExternalError: it is not there; the installation is broken.
    """
    for root in (_PACKAGE / "_data", _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    msg = f"{'/'.join(parts)} did not come with this streamproc in {_PACKAGE}: install it again"
    raise ExternalError(msg)


def template(name: str) -> Path:
    """A template's folder."""
    return _PACKAGE / "templates" / name


def templates() -> list[str]:
    """The names of the templates that are there."""
    folders = (_PACKAGE / "templates").iterdir()
    return sorted(folder.name for folder in folders if (folder / "pipeline.yaml").is_file())

"""The command ``streamproc``: one file a command, each loaded only when it is called."""

from streamproc.cli.app import main, program

__all__ = ["main", "program"]

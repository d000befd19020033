"""The version, read from the installed distribution."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("streamproc")
except PackageNotFoundError:  # a checkout on the path that was never installed
    VERSION = "0+unknown"

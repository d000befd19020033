"""The pipeline's HTTP endpoints."""

from streamproc.web.guard import Guard
from streamproc.web.ops import Action, OpsServer, ops_app

__all__ = ["Action", "Guard", "OpsServer", "ops_app"]

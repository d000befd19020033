"""What the pipeline answers over HTTP: the ops endpoints and the server they run on."""

from streamproc.web.ops import OpsServer, ops_app

__all__ = ["OpsServer", "ops_app"]

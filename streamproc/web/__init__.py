"""The pipeline's HTTP endpoints."""

from streamproc.web.front_door import Served, front_door_app
from streamproc.web.guard import Guard
from streamproc.web.inference import BadRequestError, Reply
from streamproc.web.ops import Action, OpsServer, ops_app
from streamproc.web.options import Serve

__all__ = [
    "Action",
    "BadRequestError",
    "Guard",
    "OpsServer",
    "Reply",
    "Serve",
    "Served",
    "front_door_app",
    "ops_app",
]

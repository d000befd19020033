"""Several processes of one pipeline, in one consumer group, under a parent that looks after them."""

from streamproc.runtime.workers.group import WorkerGroup

__all__ = ["WorkerGroup"]

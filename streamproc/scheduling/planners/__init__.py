"""Planners: which waiting events make the next micro-batch. One file each, pure functions."""

from streamproc.scheduling.planners.work_conserving import work_conserving

__all__ = ["work_conserving"]

"""Shed policies: which events are given up, and why. One file each, pure functions."""

from streamproc.scheduling.policies.expired import expired

__all__ = ["expired"]

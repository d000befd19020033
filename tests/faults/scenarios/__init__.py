"""The scenarios, a file a kind of fault; each registers itself."""

from tests.faults.scenarios import (
    access,
    brokers,
    exactly_once,
    kills,
    members,
    models,
    network,
    processes,
    random_minute,
    recordings,
    speed,
    state,
    topics,
    upgrade,
)

__all__ = [
    "access",
    "brokers",
    "exactly_once",
    "kills",
    "members",
    "models",
    "network",
    "processes",
    "random_minute",
    "recordings",
    "speed",
    "state",
    "topics",
    "upgrade",
]

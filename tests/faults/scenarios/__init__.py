"""The scenarios, a file a kind of fault; each registers itself.

What befalls a model's own process (a crash, no memory, a file that is half there) and a recording (a full disk)
belongs here as well, a file each.
"""

from tests.faults.scenarios import (
    access,
    brokers,
    kills,
    members,
    network,
    processes,
    random_minute,
    speed,
    topics,
    upgrade,
)

__all__ = [
    "access",
    "brokers",
    "kills",
    "members",
    "network",
    "processes",
    "random_minute",
    "speed",
    "topics",
    "upgrade",
]

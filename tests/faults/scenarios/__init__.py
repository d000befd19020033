"""The scenarios, a file a kind of fault; each registers itself."""

from tests.faults.scenarios import brokers, kills, members, network, random_minute

__all__ = ["brokers", "kills", "members", "network", "random_minute"]

"""What tests and benchmarks share: real programs that are started and stopped, and waiting with a deadline."""

from tests.support.processes import Background, free_port, wait_until

__all__ = ["Background", "free_port", "wait_until"]

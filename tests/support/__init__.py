"""What tests and benchmarks share: real programs that are started and stopped, and waiting with a deadline."""

from tests.support.processes import (
    PATIENCE_S,
    Background,
    descendants,
    free_port,
    wait_until,
)

__all__ = ["PATIENCE_S", "Background", "descendants", "free_port", "wait_until"]

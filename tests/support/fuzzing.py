"""How many examples a fuzzing test tries: few in the suite, as many as wanted by ``STREAMPROC_FUZZ_EXAMPLES``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings


def examples(count: int) -> settings:
    """Settings for so many examples, or as many as the environment says."""
    count = int(os.environ.get("STREAMPROC_FUZZ_EXAMPLES", count))
    return settings(max_examples=count, deadline=None, suppress_health_check=[HealthCheck.too_slow])

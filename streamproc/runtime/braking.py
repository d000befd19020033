"""What a burning budget asks for, put into a running engine and taken out again."""

from collections.abc import Sequence
from dataclasses import replace

from streamproc.config import PipelineConfig
from streamproc.scheduling import ShedName, ShedPolicy, TailDrop
from streamproc.slo import Measures


def braked(config: PipelineConfig, measures: Measures) -> PipelineConfig:
    """The configuration with its shed threshold moved, where that is asked for."""
    if measures.max_queue is None:
        return config
    wanted = TailDrop(max_queue=measures.max_queue)
    kept: list[ShedPolicy | ShedName] = []
    for policy in config.shed:
        if policy == "tail_drop":
            continue
        if isinstance(policy, TailDrop):
            wanted = TailDrop(max_queue=min(policy.max_queue, wanted.max_queue))
            continue
        kept.append(policy)
    return replace(config, shed=(*kept, wanted))


def floor_of(ladder: Sequence[str], measures: Measures) -> int:
    """The best variant that may decide, 0 being any."""
    return ladder.index(measures.variant) if measures.variant in ladder else 0

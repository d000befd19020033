from dataclasses import dataclass

from streamproc.scheduling.latency_model import LatencyModel


@dataclass(frozen=True, slots=True)
class Variant:
    name: str
    quality: float
    latency: LatencyModel


class VariantLadder:
    def __init__(self, variants, budget_ns):
        self.level = 0

    def choose(self, **kw):
        return 0

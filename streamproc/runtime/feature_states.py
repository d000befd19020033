"""What the features of a running pipeline remember, as its metrics tell it."""

from streamproc.core import NS_PER_S
from streamproc.runtime.assembly import Assembly
from streamproc.telemetry import FeatureStates


def feature_states(assembly: Assembly) -> FeatureStates | None:
    """What is remembered at this moment; None where nothing is."""
    program, engine = assembly.program, assembly.engine
    if program is None or not program.keyed:
        return None
    changelog = assembly.changelog
    read_ns = 0 if changelog is None else changelog.read_ns
    return FeatureStates(
        keys=len(program.keys),
        bytes_a_key=program.bytes_a_key,
        evicted=program.keys.evicted_total,
        restored=assembly.accounts.restored,
        restore_seconds=(engine.restore.took_ns + read_ns) / NS_PER_S,
        changelog=None if changelog is None else (changelog.records_total, changelog.bytes_total),
    )

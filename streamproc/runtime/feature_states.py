"""What the features and the model of a running pipeline remember, as its metrics tell it."""

from streamproc.core import NS_PER_S
from streamproc.runtime.assembly import Assembly
from streamproc.telemetry import CarriedStates, FeatureStates


def feature_states(assembly: Assembly) -> FeatureStates | None:
    """What is remembered at this moment, and how it came back; None where nothing is."""
    program, engine = assembly.program, assembly.engine
    keyed = program is not None and program.keyed
    if not keyed and engine.stateful is None:
        return None
    changelog = assembly.changelog
    read_ns = 0 if changelog is None else changelog.read_ns
    return FeatureStates(
        keys=len(program.keys) if program is not None else 0,
        bytes_a_key=program.bytes_a_key if program is not None else 0,
        evicted=program.keys.evicted_total if program is not None else 0,
        restored=assembly.accounts.restored,
        restore_seconds=(engine.restore.took_ns + read_ns) / NS_PER_S,
        changelog=None if changelog is None else (changelog.records_total, changelog.bytes_total),
    )


def carried_states(assembly: Assembly) -> CarriedStates | None:
    """What the model carries at this moment; None where it carries nothing."""
    stateful = assembly.engine.stateful
    if stateful is None:
        return None
    turns = stateful.turns
    return CarriedStates(
        keys=len(turns),
        bytes=stateful.rows.bytes,
        evicted={"room": turns.evicted_total, "ttl": turns.expired_total},
        resets=stateful.resets_total,
        restored=stateful.restored_total,
    )

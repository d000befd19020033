"""From the configuration to what is kept for a model that carries state."""

from streamproc.config import PipelineConfig
from streamproc.core import ConfigError, ModelInfo, Problem
from streamproc.engine import KeyTurns, StatefulModel, bytes_a_key


def make_stateful(config: PipelineConfig, model: ModelInfo) -> StatefulModel | None:
    """What is kept for the model; None where it carries nothing.

    Raises:
        ConfigError: there is no room for the state of one key.
    """
    options = config.model.state
    if options is None:
        return None
    room = options.max_keys
    if model.state:
        room = min(room, int(options.max_bytes) // bytes_a_key(model.state))
    if not room:
        text = f"the state of one key takes {bytes_a_key(model.state)} bytes: allow more"
        raise ConfigError(Problem(text, "model.state.max_bytes"))
    turns = KeyTurns(keys_max=room, ttl_ns=None if options.ttl is None else int(options.ttl))
    return StatefulModel(model.state, turns, resets_on_gap=options.on_gap == "reset")


def rewind_for_model_ns(config: PipelineConfig, features_ns: int) -> int:
    """How much older than the place where reading begins the records are that the model is run over again.

    Args:
        config: what the user wrote.
        features_ns: how far the features look back: those of the first of these events are to be right, too.
    """
    state = config.model.state
    if state is None or state.remembers is None:
        return features_ns
    skew_ns = 0
    if not features_ns and config.event_time.field is not None:
        skew_ns = 2 * int(config.state.skew)
    return features_ns + int(state.remembers) + skew_ns

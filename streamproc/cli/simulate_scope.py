"""What of a pipeline a simulation leaves out, so that nobody takes its figures for more than they are."""

from collections.abc import Iterator

from streamproc.config import LoadedConfig, PipelineConfig
from streamproc.core import ConfigError

_PLAY = (
    "play a recording with streamproc replay F.mcap CONFIG --clock virtual, or leave it out here"
)


def refuse_what_decides(loaded: LoadedConfig) -> None:
    """Refuse what decides when each event can run and is not simulated.

    Raises:
        ConfigError: the pipeline has it.
    """
    model = loaded.config.model
    if model.cascade is not None:
        message = f"a simulation has no events whose answers could be unsure: {_PLAY}"
        raise ConfigError(loaded.problem("model.cascade", message))
    if model.state is not None:
        message = f"a simulation does not know which events are of one key, which run one after the other: {_PLAY}"
        raise ConfigError(loaded.problem("model.state", message))


def left_out(config: PipelineConfig) -> Iterator[str]:
    """What the pipeline does besides, and what the figures are without it; one line each."""
    if config.reorder is not None:
        yield "reorder: no event waits for others that happened before it; the service lets them wait as long as their slack"
    if config.rollout is not None:
        yield "rollout: the model decides about all events, and nothing runs beside it"
    if config.serve is not None:
        yield "serve: no requests come through the front door, which take their share of the executor"

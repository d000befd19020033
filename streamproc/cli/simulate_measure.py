"""How long the pipeline's own model takes on this machine, kept for simulations."""

from pathlib import Path

from streamproc.config import LoadedConfig
from streamproc.core import ConfigError, ExternalError, SystemClock
from streamproc.executors import load_executors, sweep
from streamproc.runtime import Pipeline
from streamproc.scheduling import LatencyModel


def measure(loaded: LoadedConfig, path: Path) -> list[str]:
    """Measure the model as the service does at its start, and save what was found.

    Args:
        loaded: the pipeline.
        path: the file; with several variants ``F.json`` becomes ``F-VARIANT.json`` for each.

    Returns:
        for each variant, ``VARIANT=FILE``.

    Raises:
        ConfigError: the model does not load, or cannot be measured without real inputs.
        ExternalError: the file cannot be written.
    """
    config, clock = loaded.config, SystemClock()
    Pipeline.from_file(loaded)  # its folder is where the user's modules are
    executors = load_executors(config.model, clock)
    try:
        if not all(executor.info.inputs for executor in executors):
            message = "has no inputs of a known shape, so it cannot be measured without real ones"
            raise ConfigError(loaded.problem("model", message))
        known = [one.info.batch_max or config.batching.max_size for one in executors]
        size_max = min(config.batching.max_size, *known)
        saved = []
        for variant, executor in zip(config.model.ladder, executors, strict=True):
            model = LatencyModel(
                *sweep(executor, size_max=size_max, clock=clock), size_max=size_max
            )
            file = path if len(executors) == 1 else path.with_stem(f"{path.stem}-{variant.name}")
            file.write_text(model.to_json(), encoding="utf-8")
            saved.append(f"{variant.name}={file}")
    except OSError as error:
        msg = f"no latency model can be written to {path}: {error.strerror or error}"
        raise ExternalError(msg) from error
    finally:
        for executor in executors:
            executor.close()
    return saved

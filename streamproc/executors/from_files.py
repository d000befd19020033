"""From a variant that is made of files to what runs it in this process."""

from streamproc.core import Clock, Executor
from streamproc.executors.chain import ChainExecutor
from streamproc.executors.models import Rules
from streamproc.executors.onnx import OnnxExecutor
from streamproc.executors.openvino import OpenVinoExecutor
from streamproc.executors.options import ModelVariant
from streamproc.executors.runtimes import OnnxRuntime, OpenVino
from streamproc.executors.wiring import Wires


def load_files(
    variant: ModelVariant,
    options: OnnxRuntime | OpenVino,
    *,
    key: str,
    clock: Clock,
    rules: Rules,
    wires: Wires,
) -> Executor:
    """What runs a variant's file, or the chain of its files.

    Args:
        variant: which one.
        options: what runs it, or those stages that say nothing else.
        key: where it stands in the file.
        clock: the time.
        rules: what its files must keep to.
        wires: what of its inputs does not come from the events; of a chain the stages say it.

    Raises:
        ConfigError: it does not load.
    """
    if not variant.chain:
        path = variant.path or ""
        return _load(path, options, variant.name, key, clock=clock, rules=rules, wires=wires)
    stages: list[Executor] = []
    try:
        for place, stage in enumerate(variant.chain):
            at = f"{key}.chain[{place}]"
            loaded = _load(
                stage.path,
                stage.executor or options,
                f"{variant.name}/{place}",
                at,
                clock=clock,
                rules=rules,
                wires=Wires(stage.constants, stage.shapes, key=at),
            )
            stages.append(loaded)
        return ChainExecutor(
            variant.chain, stages, clock=clock, variant=variant.name, key=f"{key}.chain"
        )
    except BaseException:
        for loaded in stages:
            loaded.close()
        raise


def _load(
    path: str,
    options: OnnxRuntime | OpenVino,
    name: str,
    key: str,
    *,
    clock: Clock,
    rules: Rules,
    wires: Wires,
) -> Executor:
    if isinstance(options, OpenVino):
        return OpenVinoExecutor(path, options, variant=name, key=key, rules=rules, wires=wires)
    return OnnxExecutor(path, options, variant=name, key=key, rules=rules, wires=wires, clock=clock)

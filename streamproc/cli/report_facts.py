"""What ran where, as a report says it: enough to do the same again, and no secrets."""

import os
import platform
import shlex
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from streamproc.cli.feature_words import feature_words
from streamproc.cli.machine import cpu_name
from streamproc.config import PipelineConfig, group_of, is_sensitive
from streamproc.connectors.kafka import KafkaSink, KafkaSource
from streamproc.core import VERSION, Duration, ModelInfo
from streamproc.runtime import dead_letter_topic
from streamproc.scheduling import SHED_POLICIES, ShedName, ShedPolicy, shed_policies

_LIBRARIES = ("aiokafka", "onnxruntime", "numpy", "uvloop")


def facts(
    config: PipelineConfig, models: Sequence[ModelInfo], words: Sequence[str]
) -> dict[str, dict[str, str]]:
    """By group, values by name.

    Args:
        config: the pipeline.
        models: what it decided with.
        words: of the command line, behind ``streamproc``.
    """
    return {
        "Pipeline": _pipeline(config),
        "Model": _model(config, models),
        "Machine": _machine(),
        "Command": {"streamproc": shlex.join(_shown(words))},
    }


def _pipeline(config: PipelineConfig) -> dict[str, str]:
    source, sink = config.source, config.sink
    deadline, batching = config.deadline, config.batching
    features = config.features
    return {
        "reads": f"{', '.join(source.topics)} on {source.bootstrap_servers}"
        if isinstance(source, KafkaSource)
        else source.path,
        "group": group_of(config),
        "writes": sink.topic if isinstance(sink, KafkaSink) else sink.path,
        "dead letters": dead_letter_topic(config) or "counted and dropped",
        "codec": type(config.codec).__name__.removesuffix("Codec").lower(),
        "features": feature_words(features),
        "deadline": f"{deadline.budget} from the {deadline.from_.replace('_', ' ')}",
        "late decisions": "published, flagged late" if config.late == "publish" else "dropped",
        "batching": f"{batching.policy}, at most {batching.max_size:,} events",
        "shed": _policies(config.shed) or "nothing",
        "order kept": config.ordering,
        "delivery": config.delivery.replace("_", " "),
    }


def _policies(shed: Sequence[ShedPolicy | ShedName]) -> str:
    names = {kind: name for name, kind in SHED_POLICIES.items()}
    return ", ".join(names[type(policy)] for policy in shed_policies(shed))


def _model(config: PipelineConfig, models: Sequence[ModelInfo]) -> dict[str, str]:
    files = [Path(path).name for variant in config.model.ladder for path in variant.files]
    file = {"file": ", ".join(files)} if files else {}
    executor = {"executor": _options(config.model.executor)}
    variants = {
        f"variant {model.variant}": f"{model.digest} on {model.runs_on}".strip() for model in models
    }
    return file | executor | variants


def _options(options: object) -> str:
    """What an options' class is called, and what was set: ``Simulated: fixed 5ms, per_event 80us``."""
    name = type(options).__name__
    if not is_dataclass(options):
        return name
    values = [(field.name, getattr(options, field.name)) for field in fields(options)]
    # The repr of a secret hides it; that of a duration is longer than what people write.
    said = ", ".join(
        f"{key} {value if isinstance(value, Duration) else repr(value)}"
        for key, value in values
        if value is not None
    )
    return f"{name}: {said}" if said else name


def _machine() -> dict[str, str]:
    libraries = [f"{name} {number}" for name in _LIBRARIES if (number := _version(name))]
    return {
        "processor": f"{cpu_name()}, {len(os.sched_getaffinity(0))} cores for this process",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "streamproc": VERSION,
        "Python": f"{platform.python_version()}, {platform.python_implementation()}",
        "libraries": ", ".join(libraries),
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _shown(words: Sequence[str]) -> list[str]:
    """The words; of a setting in which something sounds like a password only the key."""
    shown = []
    for word in words:
        option = "--set=" if word.startswith("--set=") else ""
        key, equals, _ = word.removeprefix(option).partition("=")
        shown.append(f"{option}{key}=***" if equals and is_sensitive(word) else word)
    return shown

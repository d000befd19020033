"""The ends of a pipeline: Kafka where it has to be, files where they are."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any

from streamproc.codecs import Decisions, JsonDecisions
from streamproc.config.secrets import Secret
from streamproc.config.spec import PipelineConfig
from streamproc.config.tree import Finding, Node
from streamproc.connectors.files import CaptureSource, FileSink, FileSource
from streamproc.connectors.kafka import KafkaSink, KafkaSource, address_of
from streamproc.core import ConfigError, Problem
from streamproc.engine import Outcomes

Source = KafkaSource | CaptureSource | FileSource
Sink = KafkaSink | FileSink


def kafka_source(config: PipelineConfig, who: str) -> KafkaSource:
    """The source, for who reads Kafka.

    Args:
        config: the pipeline.
        who: needs it, as the message calls it.

    Raises:
        ConfigError: it is another one.
    """
    if isinstance(config.source, KafkaSource):
        return config.source
    raise ConfigError(Problem(f"is no source.kafka, which {who} needs", "source"))


def kafka_sink(config: PipelineConfig, who: str) -> KafkaSink:
    """The sink, for who reads or writes its topics; else as ``kafka_source``."""
    if isinstance(config.sink, KafkaSink):
        return config.sink
    raise ConfigError(Problem(f"is no sink.kafka, which {who} needs", "sink"))


def group_of(config: PipelineConfig) -> str:
    """The consumer group, and what stands for it where there is none."""
    source = config.source
    return (source.group_id if isinstance(source, KafkaSource) else "") or config.name


def resolve_ends(
    root: Node, parts: dict[str, Any], folder: FilePath, problems: list[Problem]
) -> None:
    """Make the ends' files start from the configuration's folder, and see that what is read is there.

    Args:
        root: the tree.
        parts: what was read of it, changed.
        folder: the configuration's.
        problems: takes what is missing.
    """
    for name, kinds in (("source", (CaptureSource, FileSource)), ("sink", (FileSink,))):
        options = parts.get(name)
        if not isinstance(options, kinds):
            continue
        file = folder / options.path
        shown = Secret(file) if isinstance(options.path, Secret) else str(file)
        parts[name] = replace(options, path=shown)
        kind = "capture" if isinstance(options, CaptureSource) else "file"
        if name == "source" and not _is_there(file, folders=kind == "capture"):
            text = (
                f"there is no file {shown!r}; relative paths start from the configuration's folder"
            )
            problems.append(root.problem((name, kind, "path"), text))


def _is_there(file: FilePath, *, folders: bool) -> bool:
    try:
        return file.is_file() or file.is_fifo() or (folders and file.is_dir())
    except OSError:  # such as a name that is too long
        return False


def _transactions(delivery: str, source: Source, sink: Sink) -> Iterator[Finding]:
    if delivery == "exactly_once" and not (
        isinstance(source, KafkaSource) and isinstance(sink, KafkaSink)
    ):
        text = "exactly_once is of Kafka's transactions, and a file has none: write at_least_once"
        yield ("delivery",), text


def _lines(sink: Sink, decisions: Decisions, outcomes: Outcomes) -> Iterator[Finding]:
    """What cannot stand in lines."""
    if not isinstance(sink, FileSink):
        return
    if not isinstance(decisions, JsonDecisions):
        yield ("decisions",), "sink.file writes lines of JSON: write json, or use sink.kafka"
    if outcomes.ledger_topic is not None:
        text = "is read by audits beside the inputs, in Kafka: use sink.kafka, or write null"
        yield ("outcomes", "ledger_topic"), text


def _not_over_itself(
    name: str, source: Source, sink: Sink, outcomes: Outcomes
) -> Iterator[Finding]:
    """What is read must not be begun anew by what is written, letters included."""
    if isinstance(source, KafkaSource) or not isinstance(sink, FileSink):
        return
    letters = f"{name}.dlq" if outcomes.dead_letter_topic == "" else outcomes.dead_letter_topic
    read = FilePath(source.path).resolve()
    for topic in (sink.topic, letters, outcomes.shed_topic):
        if topic is not None and sink.file_of(topic).resolve() == read:
            text = f"writes {sink.file_of(topic)}, which is the source's file: move that away, or name another"
            yield ("sink", "file", "path"), text


def _own_servers(source: Source, sink: Sink) -> Iterator[Finding]:
    if isinstance(source, KafkaSource) or not isinstance(sink, KafkaSink):
        return
    if not sink.bootstrap_servers:
        text = "is missing: there is no source.kafka whose servers it could take"
        yield ("sink", "kafka", "bootstrap_servers"), text


def _addresses(source: Source, sink: Sink) -> Iterator[Finding]:
    for name, end in (("source", source), ("sink", sink)):
        if not isinstance(end, KafkaSource | KafkaSink) or not end.bootstrap_servers:
            continue
        for server in end.bootstrap_servers.split(","):
            try:
                address_of(server)
            except ValueError as error:
                yield (name, "kafka", "bootstrap_servers"), str(error)


END_CHECKS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (_transactions, ("delivery", "source", "sink")),
    (_lines, ("sink", "decisions", "outcomes")),
    (_not_over_itself, ("name", "source", "sink", "outcomes")),
    (_own_servers, ("source", "sink")),
    (_addresses, ("source", "sink")),
)
"""As those of ``checks``: each check and the parts that it takes."""

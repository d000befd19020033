"""What ``streamproc replay`` is asked for, settled before anything is played."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from streamproc.cli.screen import line, notes_console
from streamproc.config import PipelineConfig
from streamproc.connectors.capture import CaptureReader
from streamproc.core import NS_PER_S, ConfigError, Duration
from streamproc.replay.playback import Records, TableHistory, table_history

_HARMLESS = ("cores", "processor", "python")
"""Facts of a machine that change no output."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which part of the recording.

    Attributes:
        capture: the recording.
        topics: those that are played; None for all.
        start_ns: from this instant on; None from its begin.
        end_ns: up to this instant; None to its end.
    """

    capture: CaptureReader
    topics: frozenset[str] | None
    start_ns: int | None
    end_ns: int | None

    @property
    def records(self) -> Records:
        """Reads it."""
        return lambda: self.capture.records(self.topics, self.start_ns, self.end_ns)


def choose(
    capture: CaptureReader,
    config: PipelineConfig,
    *,
    topics: Sequence[str],
    start: str | None,
    end: str | None,
) -> Chosen:
    """Settle which part is played.

    Args:
        capture: the recording.
        config: the pipeline, which reads topics.
        topics: those that are asked for; none for those that the pipeline reads.
        start: a time into the recording (``10s``), or an instant (``2026-03-01T12:00:00Z``).
        end: the same.

    Raises:
        ConfigError: the recording has no such topic, or nothing of the pipeline's.
        BadParameter: a time cannot be read.
    """
    there = capture.summary.topics
    if missing := sorted(set(topics) - set(there)):
        msg = f"--topic {missing[0]}: the recording has {', '.join(there) or 'no records'}"
        raise ConfigError(msg)
    wanted = set(topics or config.source.topics or there) & set(there)
    if not (wanted or topics) and len(there) == 1 and capture.metadata.pipeline == config.name:
        wanted = set(there)
        line(
            notes_console(),
            f"the recording of this pipeline is of {there[0]}, not of {', '.join(config.source.topics)}: played all the same",
        )
    if not wanted:
        msg = (
            f"the pipeline reads {', '.join(config.source.topics)}, and the recording has "
            f"{', '.join(there) or 'no records'}: name a topic of the recording with --topic"
        )
        raise ConfigError(msg)
    first_ns = capture.summary.first_ns or 0
    found = Chosen(
        capture,
        None if wanted == set(there) else frozenset(wanted),
        None if start is None else instant_ns("--start", start, first_ns),
        None if end is None else instant_ns("--end", end, first_ns),
    )
    if found.start_ns is not None and found.end_ns is not None and found.end_ns <= found.start_ns:
        raise typer.BadParameter("--end must be later than --start")
    return found


def instant_ns(option: str, text: str, first_ns: int) -> int:
    """Read a time into the recording, or an instant.

    Raises:
        BadParameter: it is neither.
    """
    try:
        return first_ns + Duration.parse(text)
    except ValueError:
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        msg = (
            f"{option} {text!r}: write a time from the begin of the recording, such as 10s, or an instant, such as "
            "2026-03-01T12:00:00Z"
        )
        raise typer.BadParameter(msg) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    whole_s = int(found.replace(microsecond=0).timestamp())
    return whole_s * NS_PER_S + found.microsecond * 1_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How quickly it is played.

    Attributes:
        speed: how many times quicker than it was.
        unbounded: True for as quickly as it goes.
    """

    speed: float = 1.0
    unbounded: bool = False


def pace(text: str) -> Pace:
    """Read ``1``, ``2.5`` or ``max``.

    Raises:
        BadParameter: it is none of them.
    """
    if text == "max":
        return Pace(unbounded=True)
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0.0 < speed < float("inf"):
        msg = (
            f"--speed {text!r}: write how many times quicker than it was, such as 1 or 2.5, or max"
        )
        raise typer.BadParameter(msg)
    return Pace(speed)


def latency_models(texts: Sequence[str], config: PipelineConfig) -> dict[str, Path]:
    """Read ``F.json`` (of the best variant) and ``VARIANT=F.json``.

    Raises:
        BadParameter: there is no such variant.
    """
    names = [variant.name for variant in config.model.ladder]
    found: dict[str, Path] = {}
    for text in texts:
        name, equals, path = text.rpartition("=")
        if equals and name not in names:
            msg = f"--latency-model {name}=...: there is no such variant; there are {', '.join(names)}"
            raise typer.BadParameter(msg)
        found[name if equals else names[0]] = Path(path)
    return found


def say_recording(capture: CaptureReader) -> None:
    """Say in one line each what of the recording is missing."""
    notes = notes_console()
    if capture.summary.truncated:
        line(
            notes,
            f"the recording is cut, and is played as far as it goes: {capture.summary.truncated}",
        )
    for gap in capture.summary.gaps:
        dropped = ", ".join(f"{count:,} {kind}" for kind, count in gap.dropped.items())
        line(notes, f"the recording has a gap ({gap.reason}): {dropped or 'nobody knows how many'}")


def tables_of(
    capture: CaptureReader, config: PipelineConfig, *, all_needed: bool = False
) -> TableHistory | None:
    """What lookups into topics found; what of it the recording lacks is said in a line.

    Raises:
        ConfigError: something is lacking, and all is needed.
    """
    history = table_history(config, capture)
    if history is not None and history.missing is not None:
        if all_needed:
            raise ConfigError(history.missing)
        line(notes_console(), history.missing)
    return history


def say_machine(recorded: Mapping[str, str], here: Mapping[str, str]) -> None:
    """Say in one line what stands in the way of the same bytes."""
    differences = [
        f"{name} {told or 'none'}, here {here[name] or 'none'}"
        for name, told in recorded.items()
        if name in here and name not in _HARMLESS and here[name] != told
    ]
    if differences:
        line(
            notes_console(),
            f"not as it was recorded: {'; '.join(differences)}: outputs may differ in their last digits",
        )
